"""A teacher as the student's own run sees it: what several commands ask."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from w2s_mm.advice.band import Candidate
from w2s_mm.core.metric import Rule
from w2s_mm.report.wording import metric_name, value_text
from w2s_mm.utils.errors import W2SError


def of_student(cfg: Any, path: str) -> tuple[Any, dict[str, Any]]:
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


def build_student(cfg: Any) -> tuple[Any, Any, Any]:
    """Runner and student of a config, and the device that the student is on.

    Raises:
        W2SError: The model takes no teacher.
    """
    from mmengine.model import is_model_wrapper
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    from w2s_mm.core.student import WeakToStrong

    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    student = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not isinstance(student, WeakToStrong):
        raise W2SError(
            f'The config builds a {type(student).__name__}, which takes no teacher. Set model.type '
            f"to its distilled counterpart, e.g. 'W2SRetinaNet'."
        )
    return runner, student, next(student.parameters()).device  # type: ignore[attr-defined]


class Unfit(W2SError):
    """This checkpoint cannot be evaluated; another may."""


def evaluate_teacher(
    runner: Any, student: Any, arguments: dict[str, Any], device: Any, metric: str, rule: Rule
) -> Candidate:
    """Put a teacher beside the student, check that it fits, and evaluate it; it is released again.

    Args:
        runner: The student's.
        student: Where the teacher goes.
        arguments: Of :class:`~w2s_mm.core.teacher.FrozenTeacher`.
        device: Where to evaluate.
        metric: Of the student's evaluator.
        rule: Whether more or less of it is better.

    Raises:
        Unfit: It cannot be evaluated.
        W2SError: The evaluator does not report the metric.
    """
    from w2s_mm.core.metric import pick_metric
    from w2s_mm.core.reference import measure
    from w2s_mm.core.teacher import FrozenTeacher

    checkpoint = arguments['checkpoint']
    student.teacher = teacher = FrozenTeacher(**arguments)
    try:
        student.prepare_teacher()
        _check_classes(runner, teacher)
    except W2SError as error:
        raise Unfit(str(error)) from error
    teacher.to(device)
    assert teacher.fingerprint is not None
    measured = measure(
        runner,
        teacher.model,
        teacher.fingerprint,
        Path(runner.work_dir) / 'teachers' / f'{teacher.fingerprint[:16]}.json',
        say=lambda line: say(f'      {line}'),
        probe=_probe_of(student),
    )
    teacher.release()
    value = pick_metric(measured.metrics, metric, rule)
    if not math.isfinite(value):
        raise Unfit(f'{checkpoint}: its {metric_name(metric)} is {value}.')
    say(f'      {metric_name(metric)} {value_text(value, metric)}')
    return Candidate(checkpoint, value, measured.entropy, measured.answers)


def _check_classes(runner: Any, teacher: Any) -> None:
    ours = (getattr(runner.val_dataloader.dataset, 'metainfo', None) or {}).get('classes')
    if ours and teacher.classes and tuple(ours) != teacher.classes:
        raise W2SError(
            f'{teacher.checkpoint} was trained on other classes, or in another order: teacher '
            f'{teacher.classes}, student {tuple(ours)}. Choose a teacher trained on the same '
            f'classes.'
        )


def say(line: str) -> None:
    """Progress, apart from the table that may be piped on."""
    from mmengine.dist import is_main_process

    if is_main_process():
        print(line, file=sys.stderr, flush=True)


def _probe_of(student: Any) -> Any:
    """The first probe that a distill head offers, None where none does."""
    probes = (head.probe() for head in student.distill_heads)
    return next((probe for probe in probes if probe is not None), None)
