"""Write the digit scenes, a small detection set that needs no download.

python tools/make_digit_scenes.py
python tools/make_digit_scenes.py --num-train 5000 --size 256 --root data/digit_scenes_256
"""

from __future__ import annotations

import argparse
import sys

from w2s_mm.datasets import digit_scenes_figure, write_digit_scenes


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--root', default='data/digit_scenes', help='default: %(default)s')
    parser.add_argument('--num-train', type=int, default=1000, help='default: %(default)s')
    parser.add_argument('--num-val', type=int, default=200, help='default: %(default)s')
    parser.add_argument('--size', type=int, default=128, help='side in pixels; default: 128')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--force', action='store_true', help='replace digit scenes of other parameters'
    )
    parser.add_argument('--figure', metavar='PATH', help='also draw a few scenes with their boxes')
    return parser.parse_args()


def show_progress(done: int, total: int) -> None:
    """Show how far it is; sparsely where nobody watches."""
    live = sys.stderr.isatty()
    if done == total or done % (20 if live else 400) == 0:
        end = '\r' if live and done < total else '\n'
        print(f'digit scenes: {done} of {total} drawn', end=end, file=sys.stderr, flush=True)


def main() -> None:
    """Write the data set, and its figure if asked for."""
    args = parse_args()
    try:
        written = write_digit_scenes(
            args.root,
            args.num_train,
            args.num_val,
            args.size,
            args.seed,
            force=args.force,
            progress=show_progress,
        )
        print(f'digit scenes: {"written to" if written else "already in"} {args.root}')
        if args.figure:
            digit_scenes_figure(args.root, args.figure)
            print(f'digit scenes: figure written to {args.figure}')
    except (ValueError, OSError, ModuleNotFoundError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
