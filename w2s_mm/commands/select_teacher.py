"""``w2s select-teacher``: evaluate checkpoints and recommend one as the teacher."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from w2s_mm.advice.band import Band, Baseline, Candidate, finished_baseline
from w2s_mm.advice.selection import Selection, as_json, as_text, teacher_snippet
from w2s_mm.report.runs import load_run
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json

from .cli import RUN_AGAIN, add_band, config_parser, read_config, run_command
from .teacher_evaluation import Unfit, build_student, evaluate_teacher, of_student, say

_STEP = re.compile(r'(?:iter|epoch)_(\d+)$')
_SUFFIXES = ('.pth', '.safetensors')
_NONE_SUITABLE = 1  # exit status


def select(argv: Sequence[str] | None = None) -> None:
    """Evaluate the checkpoints, print the table, and write the files asked for.

    Raises:
        W2SError: Something is missing or does not fit, or no checkpoint could be evaluated.
        SystemExit: No checkpoint is suitable (status 1), or the user interrupted (status 130).
    """
    from mmengine.dist import is_main_process

    from .preflight import check_data

    args = _arguments(argv)
    args.work_dir = args.work_dir or f'work_dirs/{Path(args.config).stem}_teachers'
    cfg = read_config(args)
    hook, teacher = of_student(cfg, args.config)
    if args.teacher_config:
        teacher['config'] = args.teacher_config
    band, baseline = _band(args, hook['metric'], hook.get('rule', 'greater'))
    checkpoints = find_checkpoints(args.run, args.checkpoints)
    check_data(cfg, ('val',))
    if 'log_level' not in args.cfg_options:
        cfg.log_level = 'WARNING'  # only the table is of interest
    try:
        candidates = _evaluate(cfg, checkpoints, teacher, band)
    except KeyboardInterrupt:
        print(f'\nInterrupted. {RUN_AGAIN}', file=sys.stderr)
        sys.exit(130)
    selection = Selection(band, baseline, candidates)
    if is_main_process():
        _report(selection, teacher, args)
    if selection.recommended is None:
        sys.exit(_NONE_SUITABLE)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = config_parser(
        'select-teacher',
        "Evaluate checkpoints with the student's validation, compare each with the finished "
        'baseline, and recommend one as the teacher. Exit status 1: none is suitable.',
    )
    parser.add_argument(
        '--checkpoints', nargs='+', default=[], metavar='FILE', help='checkpoints to choose from'
    )
    parser.add_argument(
        '--run', nargs='+', default=[], metavar='RUN_DIR', help='all checkpoints of a run'
    )
    baseline = parser.add_mutually_exclusive_group(required=True)
    baseline.add_argument(
        '--baseline',
        type=float,
        help='metric of the finished student without a teacher; AP between 0 and 1',
    )
    baseline.add_argument(
        '--baseline-run',
        nargs='+',
        metavar='RUN_DIR',
        help='work directory to take it from: the best validation (of several runs, the mean)',
    )
    add_band(parser)
    parser.add_argument(
        '--teacher-config', metavar='CONFIG', help="default: the student's model.teacher.config"
    )
    parser.add_argument('--json', metavar='FILE', help='write the table as JSON')
    parser.add_argument('--out', metavar='FILE', help='write the teacher=dict(...) to paste')
    return parser.parse_args(argv)


def _band(args: argparse.Namespace, metric: str, rule: Any) -> tuple[Band, Baseline]:
    from w2s_mm.core.metric import check_metric_range

    if args.baseline_run:
        baseline = finished_baseline([load_run(run) for run in args.baseline_run], metric, rule)
    else:
        check_metric_range(metric, args.baseline, 'The given baseline')
        baseline = Baseline(args.baseline)
    return Band(metric, rule, baseline.value, args.band), baseline


def find_checkpoints(runs: Sequence[str], files: Sequence[str]) -> list[str]:
    """The files, and all checkpoints of the runs; in each folder ordered by iteration or epoch.

    Raises:
        W2SError: A run is not a directory or has no checkpoint, or nothing was given.
    """
    found = list(files)
    for run in map(Path, runs):
        if not run.is_dir():
            raise W2SError(
                f'{run} is not a directory; expected the work directory of a run. Give single '
                f'files with --checkpoints.'
            )
        inside = [str(path) for path in run.iterdir() if path.suffix in _SUFFIXES]
        if not inside:
            raise W2SError(
                f'{run} has no checkpoint (*.pth). Expected the work directory of a run with '
                f'CheckpointHook.'
            )
        found += sorted(inside)
    if not found:
        raise W2SError('No checkpoint to evaluate. Give --checkpoints FILE or --run RUN_DIR.')
    folders = list(dict.fromkeys(Path(file).parent for file in found))

    def order(file: str) -> tuple[int, float, bool, str]:
        path = Path(file)
        step = _STEP.search(path.stem)
        number = float(step[1]) if step else math.inf
        # best_..._epoch_8.pth is epoch_8.pth once more, and may be overwritten.
        return folders.index(path.parent), number, path.stem.startswith('best_'), file

    return sorted(dict.fromkeys(found), key=order)


def _evaluate(
    cfg: Any, checkpoints: Sequence[str], teacher: dict[str, Any], band: Band
) -> list[Candidate]:
    """Check that each checkpoint fits as the student's teacher, and evaluate it.

    Raises:
        W2SError: None can be evaluated, or the evaluator does not report the metric.
    """
    runner, student, device = build_student(cfg)
    student.cpu()  # only its structure is needed
    candidates = []
    for number, checkpoint in enumerate(checkpoints, start=1):
        say(f'[{number}/{len(checkpoints)}] {checkpoint}')
        try:
            # MMEngine and the evaluators print at every evaluation.
            with contextlib.redirect_stdout(io.StringIO()):
                candidate = evaluate_teacher(
                    runner,
                    student,
                    {**teacher, 'checkpoint': checkpoint},
                    device,
                    band.metric,
                    band.rule,
                )
        except Unfit as error:
            candidate = Candidate(checkpoint, problem=str(error))
            say('      cannot be evaluated')
        candidates.append(candidate)
    problems = list(dict.fromkeys(each.problem for each in candidates if each.problem))
    if all(each.problem for each in candidates):
        raise W2SError(
            '\n  '.join([f'None of the {len(candidates)} checkpoints can be evaluated:', *problems])
            if len(problems) > 1
            else str(problems[0])
        )
    return candidates


def _report(selection: Selection, teacher: dict[str, Any], args: argparse.Namespace) -> None:
    print(f'\n{as_text(selection)}')
    if args.json:
        write_json(args.json, as_json(selection))
        print(f'\nJSON written to {args.json}')
    if selection.recommended is None:
        if args.out:
            print(f'\n{args.out} is not written: there is no teacher to recommend.')
        return
    snippet = teacher_snippet(selection, teacher)
    print(f'\nFor the model of {args.config}:\n\n{snippet}')
    options = [f'model.teacher.checkpoint={selection.recommended.checkpoint}']
    if args.teacher_config:
        options.append(f'model.teacher.config={args.teacher_config}')
    print(f'or: w2s train {args.config} --cfg-options {" ".join(options)}')
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(snippet)
        print(f'\nWritten to {args.out}')


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s select-teacher``."""
    run_command(lambda: select(argv))
