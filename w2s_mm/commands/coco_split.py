"""``w2s coco-split``: draw COCO train5k/val500, or write a small copy of COCO."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from w2s_mm.datasets.coco_objects import select_objects
from w2s_mm.datasets.coco_shrink import write_small_coco
from w2s_mm.datasets.coco_split import make_split, official_annotations, read_instances
from w2s_mm.utils.errors import W2SError

from .cli import run_command
from .progress import counter


def coco_split(argv: Sequence[str] | None = None) -> None:
    """Draw the split as the command line says.

    Raises:
        W2SError: An official annotation file does not exist or is damaged, or an option does not
            fit.
    """
    parser = argparse.ArgumentParser(
        prog='w2s coco-split',
        description='Draw COCO train5k/val500 from the official annotation files, reproducibly. '
        'With --out, write a copy of smaller photographs instead.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--root', type=Path, default=Path('data/coco'), help='directory of COCO')
    parser.add_argument('--train', type=int, default=5000, help='number of training images')
    parser.add_argument('--val', type=int, default=500, help='number of validation images')
    parser.add_argument('--seed', type=int, default=0, help='seed of the draw')
    parser.add_argument('--out', type=Path, help='write photographs and annotations here')
    parser.add_argument('--long-side', type=int, default=320, help='with --out: in pixels')
    parser.add_argument('--classes', nargs='+', help='with --out: keep these classes only')
    parser.add_argument(
        '--smallest',
        type=float,
        default=0.0,
        metavar='PART',
        help='with --classes: ignore objects shorter than this part of the long side of the image',
    )
    args = parser.parse_args(argv)
    if args.out is None:
        if args.classes:
            raise W2SError('--classes needs --out, the folder to write the smaller set to.')
        make_split(args.root, args.train, args.val, args.seed)
        return
    sources = official_annotations(args.root)
    for split, count in (('train', args.train), ('val', args.val)):
        instances = read_instances(sources[split])
        if args.classes:
            instances = select_objects(instances, args.classes, args.smallest)
        small = write_small_coco(
            instances,
            args.root / f'{split}2017',
            args.out,
            split,
            count,
            args.long_side,
            args.seed,
            counter(f'{split} images'),
        )
        print(f'{args.out}: {len(small["images"])} {split} images, long side {args.long_side} px')


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s coco-split``."""
    run_command(lambda: coco_split(argv), needs_stack=False)
