"""``w2s report``: tables and a report of runs, and one file to make them again from."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from w2s_mm.report import (
    Study,
    as_text,
    gather,
    read_archive,
    save_study,
    update_page,
    write_report,
)
from w2s_mm.report.archive import MAIN, SUFFIX
from w2s_mm.utils.errors import W2SError

from .cli import run_command

_EXAMPLES = """
examples:
  w2s report work_dirs/student_seed* --baseline work_dirs/baseline_seed* --out report
  w2s report work_dirs/student_seed* --baseline work_dirs/baseline_seed* --save study.json.gz
  w2s report study.json.gz --out report
"""


def report(argv: Sequence[str] | None = None) -> None:
    """Print the tables; write and save what was asked for.

    Raises:
        W2SError: Something cannot be read, compared or written.
    """
    args = _arguments(argv)
    try:
        _report(args)
    except OSError as error:
        raise W2SError(f'{error}. Check the paths and their permissions.') from error


def _report(args: argparse.Namespace) -> None:
    archive = read_archive(args.runs[0]) if args.runs[0].endswith(SUFFIX) else None
    if archive is None:
        if args.page or (args.group and not args.save):
            raise W2SError(f'--page and --group need a study: w2s report STUDY{SUFFIX} ...')
        study = gather(
            args.runs,
            args.baseline,
            taus=args.tau,
            teacher_dirs=args.teacher_run,
            rate_dirs=args.rate_runs,
            sustained=args.sustained,
            margin=args.margin,
        )
    else:
        given = [args.baseline, args.tau, args.teacher_run, args.rate_runs, args.save]
        if len(args.runs) > 1 or any([*given, args.sustained, args.margin is not None]):
            raise W2SError(
                f'{args.runs[0]} has its runs, baseline and targets: give no other runs, and none '
                f'of --baseline, --tau, --teacher-run, --rate-runs, --sustained, --margin and '
                f'--save.'
            )
        if args.page:
            update_page(args.page, archive)
            print(f'Report written to {args.page}')
            return
        study = archive.study(args.group)
    _print(study, args)
    if archive and len(archive.groups) > 1:
        print(f'Groups in {args.runs[0]}: {", ".join(archive.groups)}.')
    if args.out:
        print(f'Report written to {write_report(study, args.out)}')
    if args.save:
        save_study(args.save, study, args.group or MAIN)
        print(f'Study saved to {args.save}')


def _print(study: Study, args: argparse.Namespace) -> None:
    for tau in study.taus:
        for variant in study.variants:
            if len(study.variants) > 1:
                print(f'\n{variant.name}:')
            print(as_text(study, variant, tau, args.clock), end='\n\n')
    for note in study.notes:
        print(f'Note: {note}')


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='w2s report',
        description='Report how much sooner runs reach the target than their baseline.',
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='RUN_DIR',
        help='work directories of runs; names that differ only in their seed are one variant. '
        f'Or one file STUDY{SUFFIX} written by --save',
    )
    parser.add_argument(
        '--baseline', nargs='+', default=[], metavar='RUN_DIR', help='runs to pair with, by seed'
    )
    parser.add_argument(
        '--tau',
        nargs='+',
        type=float,
        default=[],
        help='targets; default: those of the runs. AP is between 0 and 1 here',
    )
    parser.add_argument(
        '--clock',
        choices=['iter', 'epoch', 'train_seconds', 'wall_seconds'],
        default='iter',
        help='unit of time in the printed tables; default: %(default)s',
    )
    parser.add_argument(
        '--sustained',
        action='store_true',
        help='the headline counts a crossing only if it holds for k validations in a row',
    )
    parser.add_argument(
        '--teacher-run',
        nargs='+',
        default=[],
        metavar='RUN_DIR',
        help='the run that trained the teacher, for its cost, if the runs do not name it',
    )
    parser.add_argument(
        '--rate-runs',
        nargs='+',
        default=[],
        metavar='RUN_DIR',
        help='runs of the baseline with other learning rates, on seeds for tuning',
    )
    parser.add_argument(
        '--margin',
        type=float,
        metavar='M',
        help="how much worse the final metric of a shorter run may be than the full baseline's",
    )
    parser.add_argument(
        '--out', metavar='DIR', help='write report.html, report.md and report.json into DIR'
    )
    parser.add_argument(
        '--save',
        metavar=f'STUDY{SUFFIX}',
        help='save the files of all runs as one file; its other groups are kept',
    )
    parser.add_argument(
        '--group',
        metavar='NAME',
        help='the comparison to read from a study, or the '
        'name under which to save this one; default: main',
    )
    parser.add_argument(
        '--page',
        metavar='FILE.md',
        help='write the report of the study into this page, between the comments '
        '"<!-- w2s report: GROUP -->" and "<!-- end of w2s report -->"',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s report``; it needs neither torch nor MM."""
    run_command(lambda: report(argv), needs_stack=False)
