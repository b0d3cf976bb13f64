"""``w2s coco-split``: draw COCO train5k/val500 from the official annotation files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from w2s_mm.datasets.coco_split import make_split

from .cli import run_command


def coco_split(argv: Sequence[str] | None = None) -> None:
    """Draw the split as the command line says.

    Raises:
        W2SError: An official annotation file does not exist or is damaged.
    """
    parser = argparse.ArgumentParser(
        prog='w2s coco-split',
        description='Draw COCO train5k/val500 from the official annotation files, reproducibly.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--root', type=Path, default=Path('data/coco'), help='directory of COCO')
    parser.add_argument('--train', type=int, default=5000, help='number of training images')
    parser.add_argument('--val', type=int, default=500, help='number of validation images')
    parser.add_argument('--seed', type=int, default=0, help='seed of the draw')
    args = parser.parse_args(argv)
    make_split(args.root, args.train, args.val, args.seed)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s coco-split``."""
    run_command(lambda: coco_split(argv), needs_stack=False)
