"""Evaluates a teacher as the student's own run does; used by several commands."""

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
    """The config of the student's WeakToStrongHook, and the arguments of its teacher.

    Raises:
        W2SError: The config at ``path`` is not that of a student, or has no validation.
    """
    from .preflight import hook_config

    hook = hook_config(cfg, 'WeakToStrongHook')
    teacher = (cfg.get('model') or {}).get('teacher')
    if not hook or not teacher:
        raise W2SError(
            f'{path} has no {"WeakToStrongHook" if teacher else "model.teacher"}. Expected the '
            f'config of a student, such as w2s_mm::retinanet_r34_to_r50.py: its validation and its '
            f'metric are used.'
        )
    if any(cfg.get(name) is None for name in ('val_dataloader', 'val_evaluator', 'val_cfg')):
        raise W2SError(
            f'{path} has no validation, and teachers are evaluated with it. Set val_cfg, '
            f'val_dataloader and val_evaluator.'
        )
    return hook, {key: value for key, value in teacher.items() if key != 'checkpoint'}


def build_student(cfg: Any) -> tuple[Any, Any, Any]:
    """Runner and student of a config, and the device that the student is on.

    Raises:
        W2SError: The model takes no teacher.
    """
    from w2s_mm.core.student import WeakToStrong
    from w2s_mm.utils.mm import build_runner, unwrapped

    runner = build_runner(cfg)
    student = unwrapped(runner.model)
    if not isinstance(student, WeakToStrong):
        raise W2SError(
            f'The config builds a {type(student).__name__}, which takes no teacher. Set model.type '
            f"to its distilled counterpart, e.g. 'W2SRetinaNet'."
        )
    return runner, student, next(student.parameters()).device  # type: ignore[attr-defined]


def diagnosed_head(student: Any) -> tuple[Any, Any]:
    """The first distill head of the student that has a probe, and the probe.

    Raises:
        W2SError: None has.
    """
    for head in student.distill_heads:
        probe = head.probe()
        if probe is not None:
            return head, probe
    names = ', '.join(type(head).__name__ for head in student.distill_heads)
    raise W2SError(
        f'No distill head of {type(student).__name__} can be diagnosed ({names}): a head says what '
        f'a diagnosis may read by its method `probe`. Add one that has it to model.distill_head.'
    )


class Unfit(W2SError):
    """This checkpoint cannot be evaluated; another may."""


def evaluate_teacher(
    runner: Any, student: Any, arguments: dict[str, Any], device: Any, metric: str, rule: Rule
) -> Candidate:
    """Give the student a teacher, check that it fits, evaluate it, and release it.

    Args:
        runner: The student's runner.
        student: The student.
        arguments: Those of :class:`~w2s_mm.core.teacher.FrozenTeacher`.
        device: Where to evaluate.
        metric: Name of a metric of the student's evaluator.
        rule: ``'greater'`` when a higher metric is better, ``'less'`` otherwise.

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
        teacher.check_classes(runner.val_dataloader.dataset)
    except W2SError as error:
        raise Unfit(str(error)) from error
    teacher.to(device)
    probes = (head.probe() for head in student.distill_heads)
    probe = next((probe for probe in probes if probe is not None), None)
    assert teacher.fingerprint is not None
    measured = measure(
        runner,
        teacher.model,
        teacher.fingerprint,
        Path(runner.work_dir) / 'teachers' / f'{teacher.fingerprint[:16]}.json',
        say=lambda line: say(f'      {line}'),
        probe=probe,
    )
    teacher.release()
    value = pick_metric(measured.metrics, metric, rule)
    if not math.isfinite(value):
        raise Unfit(f'{checkpoint}: its {metric_name(metric)} is {value}.')
    say(f'      {metric_name(metric)} {value_text(value, metric)}')
    return Candidate(checkpoint, value, measured.entropy, measured.answers)


def say(line: str) -> None:
    """Print progress to stderr, as stdout may be piped."""
    from mmengine.dist import is_main_process

    if is_main_process():
        print(line, file=sys.stderr, flush=True)
