"""``w2s digit-scenes``: write the digit scenes, a small detection data set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from w2s_mm.datasets import digit_scenes_figure, write_digit_scenes
from w2s_mm.utils.errors import W2SError

from .cli import run_command
from .progress import counter


def digit_scenes(argv: Sequence[str] | None = None) -> None:
    """Write the data set, and its figure if asked for.

    Raises:
        W2SError: They cannot be written, or digit scenes of other parameters are there.
    """
    parser = argparse.ArgumentParser(
        prog='w2s digit-scenes',
        description='Write the digit scenes, a small detection data set that needs no download.',
    )
    parser.add_argument('--root', default='data/digit_scenes', help='default: %(default)s')
    parser.add_argument('--num-train', type=int, default=1000, help='default: %(default)s')
    parser.add_argument('--num-val', type=int, default=500, help='default: %(default)s')
    parser.add_argument('--size', type=int, default=64, help='side in pixels; default: 64')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--force', action='store_true', help='replace digit scenes of other parameters'
    )
    parser.add_argument('--figure', metavar='FILE', help='also draw a few scenes with their boxes')
    args = parser.parse_args(argv)
    try:
        written = write_digit_scenes(
            args.root,
            args.num_train,
            args.num_val,
            args.size,
            args.seed,
            force=args.force,
            progress=counter('digit scenes'),
        )
        print(f'digit scenes: {"written to" if written else "already in"} {args.root}')
        if args.figure:
            digit_scenes_figure(args.root, args.figure)
            print(f'digit scenes: figure written to {args.figure}')
    except (ValueError, OSError, ModuleNotFoundError) as error:
        raise W2SError(str(error)) from error


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s digit-scenes``."""
    run_command(lambda: digit_scenes(argv), needs_stack=False)
