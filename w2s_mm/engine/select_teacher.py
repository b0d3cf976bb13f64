"""The command that says which checkpoint makes a suitable teacher."""

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

from w2s_mm.analysis.wording import metric_name, value_text
from w2s_mm.analysis.runs import load_run
from w2s_mm.analysis.teacher_table import (
    Band,
    Baseline,
    Candidate,
    Selection,
    as_json,
    as_text,
    finished_baseline,
    teacher_snippet,
)
from w2s_mm.core.errors import W2SError
from w2s_mm.core.files import write_json

from .cli import common_parser, read_config, run_command

_STEP = re.compile(r'(?:iter|epoch)_(\d+)$')
_SUFFIXES = ('.pth', '.safetensors')
_NOTHING_SUITABLE = 1  # exit status


def select(argv: list[str] | None = None) -> None:
    """Evaluate the checkpoints, print the table, write what was asked for.

    Raises:
        W2SError: Something is missing or does not fit, or no checkpoint could be evaluated.
        SystemExit: Nothing lies in the band (status 1), or the user interrupted (status 130).
    """
    from mmengine.dist import is_main_process

    from .preflight import check_data

    args = _arguments(argv)
    args.work_dir = args.work_dir or f'work_dirs/{Path(args.config).stem}_teachers'
    cfg = read_config(args)
    hook, teacher = _of_student(cfg, args.config)
    if args.teacher_config:
        teacher['config'] = args.teacher_config
    band, baseline = _band(args, hook['metric'], hook.get('rule', 'greater'))
    checkpoints = find_checkpoints(args.run, args.checkpoints)
    check_data(cfg, ('val',))
    if 'log_level' not in args.cfg_options:
        cfg.log_level = 'WARNING'  # the table is what there is to read
    try:
        candidates = _evaluate(cfg, checkpoints, teacher, band)
    except KeyboardInterrupt:
        print('\nInterrupted. Type the same again: what is measured is kept.', file=sys.stderr)
        sys.exit(130)
    selection = Selection(band, baseline, candidates)
    if is_main_process():
        _tell(selection, teacher, args)
    if selection.recommended is None:
        sys.exit(_NOTHING_SUITABLE)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = common_parser(
        'Which checkpoint makes a suitable teacher? Each is evaluated as the student is, and held '
        'against the finished baseline. Exit status 1: none lies in the band.'
    )
    parser.add_argument(
        '--checkpoints', nargs='+', default=[], metavar='FILE', help='teachers to choose from'
    )
    parser.add_argument(
        '--run', nargs='+', default=[], metavar='RUN_DIR', help='all checkpoints of a training'
    )
    baseline = parser.add_mutually_exclusive_group(required=True)
    baseline.add_argument(
        '--baseline',
        type=float,
        help='metric of the finished student without a teacher; AP is 0 to 1 here',
    )
    baseline.add_argument(
        '--baseline-run',
        nargs='+',
        metavar='RUN_DIR',
        help='the same from its work directory: the best validation (several: the mean of these)',
    )
    parser.add_argument(
        '--band', type=float, default=0.15, help='how much weaker is suitable; default: %(default)s'
    )
    parser.add_argument(
        '--teacher-config', metavar='CONFIG', help="default: the student's model.teacher.config"
    )
    parser.add_argument('--json', metavar='FILE', help='write the table as JSON')
    parser.add_argument('--out', metavar='FILE', help='write the teacher=dict(...) to paste')
    return parser.parse_args(argv)


def _of_student(cfg: Any, path: str) -> tuple[Any, dict[str, Any]]:
    """Settings of the student's WeakToStrongHook, and the arguments of its teacher."""
    hook = (cfg.get('default_hooks') or {}).get('weak_to_strong')
    teacher = (cfg.get('model') or {}).get('teacher')
    if not hook or not teacher:
        lacks = 'default_hooks.weak_to_strong' if teacher else 'model.teacher'
        raise W2SError(
            f'{path} has no {lacks}; expected the config of a student, whose validation and metric '
            f'decide. See configs/retinanet_r34_to_r50.py.'
        )
    if any(cfg.get(name) is None for name in ('val_dataloader', 'val_evaluator', 'val_cfg')):
        raise W2SError(
            f'{path} has no validation, which the teachers are to be evaluated by. Set val_cfg, '
            f'val_dataloader and val_evaluator.'
        )
    return hook, {key: value for key, value in teacher.items() if key != 'checkpoint'}


def _band(args: argparse.Namespace, metric: str, rule: Any) -> tuple[Band, Baseline]:
    from w2s_mm.hooks.progress import check_metric_range

    if args.baseline_run:
        baseline = finished_baseline([load_run(run) for run in args.baseline_run], metric, rule)
    else:
        check_metric_range(metric, args.baseline, 'The given baseline')
        baseline = Baseline(args.baseline)
    return Band(metric, rule, baseline.value, args.band), baseline


def find_checkpoints(runs: Sequence[str], files: Sequence[str]) -> list[str]:
    """The files, and all checkpoints of the runs; in each folder by iteration or epoch.

    Raises:
        W2SError: A run is no directory or holds none, or nothing was asked for.
    """
    found = list(files)
    for run in map(Path, runs):
        if not run.is_dir():
            raise W2SError(
                f'{run} is no directory; expected the work directory of a training. Single files '
                f'go to --checkpoints.'
            )
        inside = [str(path) for path in run.iterdir() if path.suffix in _SUFFIXES]
        if not inside:
            raise W2SError(
                f'{run} holds no checkpoint (*.pth). Expected the work directory of a training '
                f'with CheckpointHook.'
            )
        found += sorted(inside)
    if not found:
        raise W2SError('There is no teacher to evaluate. Give --checkpoints FILE or --run RUN_DIR.')
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
    """Evaluate each checkpoint as the student's teacher; its fit is checked first.

    Raises:
        W2SError: None can be evaluated, or the evaluator does not report the metric.
    """
    from mmengine.model import is_model_wrapper
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    from w2s_mm.core.model import WeakToStrong

    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    student = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not isinstance(student, WeakToStrong):
        raise W2SError(
            f'The config builds a {type(student).__name__}, which takes no teacher. Set model.type '
            f"to its distilled counterpart, e.g. 'W2SRetinaNet'."
        )
    device = next(student.parameters()).device  # type: ignore[attr-defined]
    student.cpu()  # type: ignore[attr-defined]  # it is asked how it is built, never what it sees
    candidates = []
    for number, checkpoint in enumerate(checkpoints, start=1):
        _say(f'[{number}/{len(checkpoints)}] {checkpoint}')
        try:
            # The stack prints about every evaluation.
            with contextlib.redirect_stdout(io.StringIO()):
                candidate = _evaluate_one(
                    runner, student, {**teacher, 'checkpoint': checkpoint}, device, band
                )
        except _Unfit as error:
            candidate = Candidate(checkpoint, problem=str(error))
            _say('      cannot be evaluated')
        candidates.append(candidate)
    problems = list(dict.fromkeys(each.problem for each in candidates if each.problem))
    if all(each.problem for each in candidates):
        raise W2SError(
            '\n  '.join([f'None of the {len(candidates)} checkpoints can be evaluated:', *problems])
            if len(problems) > 1
            else str(problems[0])
        )
    return candidates


class _Unfit(Exception):
    """This checkpoint cannot be evaluated; another may."""


def _evaluate_one(
    runner: Any, student: Any, arguments: dict[str, Any], device: Any, band: Band
) -> Candidate:
    from w2s_mm.core.teacher import FrozenTeacher
    from w2s_mm.hooks.progress import pick_metric
    from w2s_mm.hooks.reference import measure

    checkpoint = arguments['checkpoint']
    student.teacher = teacher = FrozenTeacher(**arguments)
    try:
        student.prepare_teacher()
        _check_classes(runner, teacher)
    except W2SError as error:
        raise _Unfit(str(error)) from error
    teacher.to(device)
    assert teacher.fingerprint is not None
    measured = measure(
        runner,
        teacher.model,
        teacher.fingerprint,
        Path(runner.work_dir) / 'teachers' / f'{teacher.fingerprint[:16]}.json',
        say=lambda line: _say(f'      {line}'),
        head=student.distill_head,
    )
    teacher.release()
    value = pick_metric(measured.metrics, band.metric, band.rule)
    if not math.isfinite(value):
        raise _Unfit(f'{checkpoint}: its {metric_name(band.metric)} is {value}.')
    _say(f'      {metric_name(band.metric)} {value_text(value, band.metric)}')
    return Candidate(checkpoint, value, measured.entropy, measured.answers)


def _check_classes(runner: Any, teacher: Any) -> None:
    ours = (getattr(runner.val_dataloader.dataset, 'metainfo', None) or {}).get('classes')
    if ours and teacher.classes and tuple(ours) != teacher.classes:
        raise W2SError(
            f'{teacher.checkpoint} was trained on other classes, or in another order: teacher '
            f'{teacher.classes}, student {tuple(ours)}. Choose a teacher trained on the same '
            f'classes.'
        )


def _say(line: str) -> None:
    """Progress, apart from the table that may be piped on."""
    from mmengine.dist import is_main_process

    if is_main_process():
        print(line, file=sys.stderr, flush=True)


def _tell(selection: Selection, teacher: dict[str, Any], args: argparse.Namespace) -> None:
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
    print(f'or: python tools/train.py {args.config} --cfg-options {" ".join(options)}')
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(snippet)
        print(f'\nWritten to {args.out}')


def main() -> None:
    """Entry point of ``tools/select_teacher.py``."""
    run_command(select)
