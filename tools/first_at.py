"""How much sooner is the target reached? Tables of finished (or going) runs, and the report.

python tools/first_at.py work_dirs/ours_seed* --baseline work_dirs/baseline_seed* --report report
"""

from __future__ import annotations

import argparse
import sys

from w2s_mm.report import as_text, gather, write_report
from w2s_mm.utils.errors import W2SError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='RUN_DIR',
        help='work directories of our runs; names that differ in their seed alone are one variant',
    )
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
        help='what the tables count time in; default: %(default)s',
    )
    parser.add_argument(
        '--sustained', action='store_true', help='a crossing counts only when it holds'
    )
    parser.add_argument(
        '--teacher-run',
        nargs='+',
        default=[],
        metavar='RUN_DIR',
        help="the teacher's own training, for its cost, where the runs do not tell",
    )
    parser.add_argument(
        '--report', metavar='DIR', help='write report.html, report.md and report.json into DIR'
    )
    return parser.parse_args()


def main() -> None:
    """Print the tables; write the report if asked for."""
    args = parse_args()
    try:
        evidence = gather(
            args.runs, args.baseline, taus=args.tau or (), teacher_dirs=args.teacher_run
        )
        for tau in evidence.taus:
            for variant in evidence.variants:
                if len(evidence.variants) > 1:
                    print(f'\n{variant.name}:')
                print(
                    as_text(evidence.compare(variant, tau, args.clock, args.sustained)), end='\n\n'
                )
        for note in evidence.notes:
            print(f'Note: {note}')
        if args.report:
            print(f'Report written to {write_report(evidence, args.report)}')
    except (W2SError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
