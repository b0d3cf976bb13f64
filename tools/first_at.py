"""How much sooner is the target reached? A table, a picture, and the same as JSON.

python tools/first_at.py work_dirs/ours_seed* --baseline work_dirs/baseline_seed* --out first_at
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from w2s_mm.analysis import as_json, as_text, compare, draw, load_run
from w2s_mm.core.errors import W2SError
from w2s_mm.core.files import write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', metavar='RUN_DIR', help='work directories of our runs')
    parser.add_argument(
        '--baseline', nargs='+', default=[], metavar='RUN_DIR', help='paired with ours by seed'
    )
    parser.add_argument(
        '--tau', nargs='+', type=float, help="targets; default: the runs' own. AP is 0 to 1 here"
    )
    parser.add_argument(
        '--clock',
        choices=['iter', 'epoch', 'train_seconds', 'wall_seconds'],
        default='iter',
        help='what to count time in; default: %(default)s',
    )
    parser.add_argument(
        '--sustained', action='store_true', help='a crossing counts only when it holds'
    )
    parser.add_argument(
        '--out', metavar='PREFIX', help='draw the curves to PREFIX.png (or a name ending in .svg)'
    )
    parser.add_argument('--json', metavar='FILE', help='write the tables as JSON')
    return parser.parse_args()


def main() -> None:
    """Print the tables; draw and write what was asked for."""
    args = parse_args()
    try:
        runs = [load_run(path) for path in args.runs]
        baselines = [load_run(path) for path in args.baseline]
        taus = args.tau or list(dict.fromkeys(t for run in runs for t in run.thresholds))
        comparisons = [
            compare(runs, baselines, tau=tau, clock=args.clock, sustained=args.sustained)
            for tau in taus
        ]
        print('\n\n'.join(as_text(comparison) for comparison in comparisons))
        if args.json:
            write_json(args.json, as_json(comparisons))
            print(f'\nJSON written to {args.json}')
        if args.out:
            for comparison in comparisons:
                out = Path(args.out)
                suffix = out.suffix if out.suffix in ('.png', '.svg') else ''
                stem = out.name.removesuffix(suffix)
                which = f'_{comparison.tau:g}' if len(comparisons) > 1 else ''
                path = out.with_name(f'{stem}{which}{suffix or ".png"}')
                draw(comparison, path)
                print(f'\nPicture written to {path}')
    except (W2SError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
