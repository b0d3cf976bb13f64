"""What WeakToStrongHook needs of a run: the student, and that it can be distilled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from w2s_mm.core.adapters import forget, trainable
from w2s_mm.core.metric import pick_metric
from w2s_mm.core.schedule import Schedule, Unit
from w2s_mm.core.student import WeakToStrong
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import unwrapped
from w2s_mm.utils.sharding import check_whole

from .exact_resume import ExactResumeHook
from .start import StartHook
from .time_to_target import TimeToTargetHook


def starts_lossless(runner: Any) -> bool:
    """Whether StartHook started the student without loss."""
    found = (hook.difference for hook in runner.hooks if isinstance(hook, StartHook))
    return any(difference is not None and difference.lossless for difference in found)


def end_distillation(runner: Any) -> None:
    """Release the teacher; remove the heads from the student, its EMA copy and the optimizer."""
    student = student_of(runner)
    forget(trainable(student.distill_heads), runner.optim_wrapper)
    student.end_distillation()
    for hook in runner.hooks:  # EMAHook holds a copy of the student
        average = getattr(getattr(hook, 'ema_model', None), 'module', None)
        if isinstance(average, WeakToStrong):
            average.end_distillation()


def check_targets(runner: Any, metrics: dict[str, float]) -> None:
    """Check that the metrics of TimeToTargetHook were reported of the teacher, if any were."""
    for hook in runner.hooks:
        if isinstance(hook, TimeToTargetHook):
            pick_metric(metrics, hook.metric, hook.rule, hook.metric_known)


def taps_of(student: WeakToStrong) -> list[str]:
    """Names of all submodules that are recorded while distilling."""
    return [tap for head in student.distill_heads for tap in head.taps(student)]


def student_of(runner: Any) -> WeakToStrong:
    """The student of a run.

    Raises:
        W2SError: The model has no teacher.
    """
    model = unwrapped(runner.model)
    if not isinstance(model, WeakToStrong):
        raise W2SError(
            f'WeakToStrongHook needs a model with a teacher; found {type(model).__name__}. Set '
            f"model.type to its distilled counterpart, e.g. 'W2SRetinaNet'."
        )
    return model


def check_run(runner: Any, schedules: Sequence[Schedule], iters: dict[Unit, float]) -> None:
    """Check that a run validates, can be resumed, and is as long as its schedules.

    Args:
        runner: The runner.
        schedules: Those of the distill heads.
        iters: Iterations in one of each unit.

    Raises:
        W2SError: It does not, or splits the model over processes.
    """
    check_whole(runner.cfg, 'WeakToStrongHook')
    if runner.val_loop is None:
        raise W2SError(
            'The run has no validation, which the stop rule needs. Set val_cfg, val_dataloader '
            'and val_evaluator.'
        )
    if not any(isinstance(hook, ExactResumeHook) for hook in runner.hooks):
        raise W2SError(
            'The run has no ExactResumeHook, so a resumed run could miss a validation that the '
            "stop rule needs. Add exact_resume=dict(type='ExactResumeHook') to default_hooks."
        )
    total = runner.train_loop.max_iters
    for schedule in schedules:
        end = schedule.length * iters[schedule.unit]
        if total * (1 + 1e-9) < end < float('inf'):
            raise W2SError(
                f'The schedule is longer than the run: it ends after {schedule.length:g} '
                f'({schedule.unit}) = {end:.0f} iterations, the run has {total}. Shorten the '
                f'schedule of WeakToStrongHook (or of the distill head), or give its lengths '
                f"as fractions of the run with unit='training'."
            )


def check_unchanged(
    kept: dict[str, Any],
    settings: dict[str, Any],
    iters: dict[Unit, float],
    units: Collection[Unit],
) -> None:
    """Check that the settings of WeakToStrongHook are those of the checkpoint.

    Args:
        kept: What the checkpoint has of them.
        settings: Those of this run.
        iters: Iterations in one of each unit.
        units: The units in use.

    Raises:
        W2SError: They differ; the message names the differences.
    """
    then = {**kept['settings'], **{f'iterations in 1 {k}': v for k, v in kept['iters'].items()}}
    now = {**settings, **{f'iterations in 1 {k}': v for k, v in iters.items()}}
    different = [
        f'{name}: {then.get(name)!r} in the checkpoint, {value!r} now'
        for name, value in now.items()
        if then.get(name) != value
        and not (name.startswith('iterations') and name.rsplit(' ', 1)[-1] not in units)
    ]
    if different:
        raise W2SError(
            'The checkpoint to resume from was written with other settings of '
            f'WeakToStrongHook:\n  {"; ".join(different)}.\nRestore them and the length of '
            f'the run, or start a new run in another --work-dir.'
        )
