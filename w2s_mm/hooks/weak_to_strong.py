"""The hook that owns time: schedule, reference, gate, release, resume."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from w2s_mm.core.metric import Rule, check_metric_range, pick_metric
from w2s_mm.core.reference import measure_reference, probe_metric_names
from w2s_mm.core.schedule import TemperatureRamp, WarmupHoldDecay
from w2s_mm.core.stop import SurpassGate
from w2s_mm.core.student import DISTILL_PREFIX, WeakToStrong
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json
from w2s_mm.utils.mm import is_resuming, iters_per_epoch, unwrapped

from .exact_resume import ExactResumeHook


@HOOKS.register_module()
class WeakToStrongHook(Hook):
    """Algorithm 1 of arXiv 2604.15451 around a :class:`~w2s_mm.core.student.WeakToStrong` model.

    Before training it builds and checks the teacher and measures its metric ``m_ref`` with the
    student's own validation loop. Every iteration it pushes ``lambda(u)`` and ``T(u)`` into the
    model; after every validation it feeds the gate. Once the gate closes, or the schedule has
    ended, the weight is 0 for good and the teacher's memory is free. With EMA, the validation
    that the gate sees is the EMA model's.

    ``weak_to_strong.json`` in the work directory tells the story as it happens.

    Args:
        metric: Name of the metric as the evaluator reports it, e.g. ``'coco/bbox_mAP_50'``.
        schedule: Arguments of :class:`~w2s_mm.core.schedule.WarmupHoldDecay`.
        temperature: A constant, or arguments of :class:`~w2s_mm.core.schedule.TemperatureRamp`
            over the length of the schedule.
        rule: ``'greater'`` when a higher metric is better, ``'less'`` otherwise.
        k: Validations in a row that must surpass the teacher; the paper's 2.
        reference: The teacher's metric if it is known already; by default it is measured.

    Raises:
        W2SError: An argument is out of range; or, before training starts, the teacher, the metric,
            the reference or the schedule does not fit the run.
    """

    FILE = 'weak_to_strong.json'

    def __init__(
        self,
        metric: str,
        schedule: dict[str, Any],
        temperature: float | dict[str, Any] = 1.0,
        rule: Rule = 'greater',
        k: int = 2,
        reference: float | None = None,
    ) -> None:
        self.metric = metric
        self.schedule = WarmupHoldDecay(**schedule)
        self.temperature = TemperatureRamp(
            **(temperature if isinstance(temperature, dict) else {'start': temperature})
        )
        if reference is not None:
            check_metric_range(metric, reference, 'The given reference')
        self.reference = reference
        self.gate = SurpassGate(0.0 if reference is None else reference, rule, k)
        self._restored: dict[str, Any] | None = None
        self._resumed_without_state = False
        self._watching = False  # set in a training that distills
        self._student: WeakToStrong | None = None  # set while the teacher may still be asked
        self._fingerprint: str | None = None
        self._iters_per_unit = 1.0

    # ------------------------------------------------------------------ state

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the gate and the schedule into the checkpoint; never the teacher."""
        checkpoint['weak_to_strong'] = {
            'gate': self.gate.state_dict(),
            'schedule': self._schedule_facts(),
            'teacher': self._fingerprint,
        }

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep what a resumed checkpoint holds; starting weights (``load_from``) say nothing."""
        if is_resuming(runner):
            self._restored = checkpoint.get('weak_to_strong')
            self._resumed_without_state = self._restored is None

    def _schedule_facts(self) -> dict[str, Any]:
        return {**asdict(self.schedule), 'iters_per_unit': self._iters_per_unit}

    # ----------------------------------------------------------- before training

    def before_train(self, runner: Any) -> None:
        """Algorithm 1, step 1: check everything, measure ``m_ref``, open the gate."""
        student = _student_of(runner)
        student.set_distillation(weight=0.0, temperature=1.0)
        if student.gamma == 0 or self.schedule.lambda_max == 0:
            runner.logger.info('Distillation is switched off: this run is the baseline.')
            return
        self._watching = True
        self._check_run(runner)
        self._restore(runner)
        if self.gate.closed or runner.iter >= self._end:
            student.teacher.release()
        else:
            student.prepare_teacher()
            self._check_teacher(runner, student)
            if self._restored is None:
                self._open_gate(runner, student)
            self._student = student
        runner.logger.info(
            f'Weak-to-strong distillation: teacher {self.metric} = {self.gate.reference:.4f}, '
            f'lambda up to {student.gamma * self.schedule.lambda_max:g} until iteration '
            f'{self._end:.0f} or until the student surpasses the teacher {self.gate.k} times in a '
            f'row' + (f' (closed at iteration {self.gate.closed_at}).' if self.gate.closed else '.')
        )
        self._write(runner)

    @property
    def _end(self) -> float:
        """Iteration from which the schedule is 0."""
        return self.schedule.length * self._iters_per_unit

    def _check_run(self, runner: Any) -> None:
        if runner.val_loop is None:
            raise W2SError(
                'The run has no validation, and the gate needs one. Set val_cfg, val_dataloader '
                'and val_evaluator.'
            )
        if not any(isinstance(hook, ExactResumeHook) for hook in runner.hooks):
            raise W2SError(
                'The run has no ExactResumeHook, so a resumed run would lose a validation that '
                "the gate counts. Add exact_resume=dict(type='ExactResumeHook') to default_hooks."
            )
        total = runner.train_loop.max_iters
        self._iters_per_unit = {
            'iter': 1.0,
            'epoch': iters_per_epoch(runner),
            'training': float(total),
        }[self.schedule.unit]
        if self._end > total * (1 + 1e-9):
            raise W2SError(
                f'The schedule is longer than the training: warmup + hold + decay = '
                f'{self.schedule.length:g} ({self.schedule.unit}) = {self._end:.0f} iterations, '
                f'the training has {total}. Shorten the schedule of WeakToStrongHook, or give its '
                f"lengths as fractions with unit='training'."
            )

    def _check_teacher(self, runner: Any, student: WeakToStrong) -> None:
        teacher = student.teacher
        if self._fingerprint not in (None, teacher.fingerprint):
            raise W2SError(
                f'The teacher is not the one this run was started with: the weights in '
                f'{teacher.checkpoint} or their config have changed. Restore them, or start in '
                f'another --work-dir.'
            )
        self._fingerprint = teacher.fingerprint
        ours = (getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}).get('classes')
        if ours and teacher.classes and tuple(ours) != teacher.classes:
            raise W2SError(
                f'The teacher was trained on other classes, or in another order: teacher '
                f'{teacher.classes}, student {tuple(ours)}. Choose a teacher trained on the same '
                f'classes.'
            )

    def _restore(self, runner: Any) -> None:
        if self._resumed_without_state:
            raise W2SError(
                'The checkpoint to resume from was written by a run without WeakToStrongHook. '
                'Resume that run with its own config, or start this one in another --work-dir.'
            )
        if self._restored is None:
            return
        kept, now = self._restored['schedule'], self._schedule_facts()
        if kept != now:
            raise W2SError(
                f'The checkpoint was written under another schedule: {kept}; now {now}. Restore '
                f'the schedule and the length of the training, or start in another --work-dir.'
            )
        self.gate.load_state_dict(self._restored['gate'])
        self._fingerprint = self._restored['teacher']

    def _open_gate(self, runner: Any, student: WeakToStrong) -> None:
        teacher = student.teacher
        teacher.to(next(student.parameters()).device)  # type: ignore[attr-defined]
        if self.reference is None:
            assert teacher.fingerprint is not None
            metrics = measure_reference(runner, teacher.model, teacher.fingerprint)
            value = pick_metric(metrics, self.metric, self.gate.rule)
            check_metric_range(self.metric, value, "The teacher's measured reference")
        else:
            value = self.reference
            names = probe_metric_names(runner, teacher.model)
            if names:
                pick_metric(dict.fromkeys(names, 0.0), self.metric, self.gate.rule)
        self.gate = SurpassGate(value, self.gate.rule, self.gate.k)

    # ------------------------------------------------------------ while training

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Algorithm 1, steps 2-3: push ``a * Lambda(u)`` and ``T(u)`` into the model."""
        weight = temperature = 0.0
        if self._student is not None:
            u = runner.iter / self._iters_per_unit
            weight = self.schedule(u)
            temperature = self.temperature(u / self.schedule.length)
            self._student.set_distillation(weight, temperature)
            if u >= self.schedule.length:
                self._end_distillation(runner, 'the schedule has ended')
        hub = runner.message_hub
        hub.update_scalar('train/distill_lambda', weight)
        hub.update_scalar('train/distill_temperature', temperature)
        if self._student is None:
            # MMEngine would log their last values to the end, as if the teacher still spoke.
            for name in hub.log_scalars:
                if name.startswith(f'train/{DISTILL_PREFIX}'):
                    hub.update_scalar(name, 0.0)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Algorithm 1, steps 4-5: feed the gate, and close it."""
        if not self._watching:
            return
        value = pick_metric(metrics or {}, self.metric, self.gate.rule)
        closes = self.gate.observe(value, runner.iter)
        for name, scalar in (
            ('streak', self.gate.streak),
            ('reference', self.gate.reference),
            ('closed', float(self.gate.closed)),
        ):
            runner.message_hub.update_scalar(f'val/distill_{name}', scalar)
        if not self.gate.closed:
            runner.logger.info(
                f'{self.metric}: student {value:.4f}, teacher {self.gate.reference:.4f}; '
                f'surpassed {self.gate.streak} of {self.gate.k} times in a row.'
            )
        if closes:
            self._end_distillation(
                runner,
                f'the student surpassed the teacher {self.gate.k} times in a row '
                f'({value:.4f} against {self.gate.reference:.4f})',
            )
        self._write(runner)

    def _end_distillation(self, runner: Any, reason: str) -> None:
        if self._student is None:
            return
        self._student.set_distillation(weight=0.0, temperature=1.0)
        self._student.teacher.release()
        self._student = None
        runner.logger.info(
            f'Distillation ended at iteration {runner.iter}: {reason}. The teacher is released; '
            f'the rest is the baseline.'
        )

    def _write(self, runner: Any) -> None:
        if not is_main_process():
            return
        closed_at = self.gate.closed_at
        write_json(
            Path(runner.work_dir) / self.FILE,
            {
                'format': 1,
                'metric': self.metric,
                'rule': self.gate.rule,
                'hits_in_a_row': self.gate.k,
                'reference': self.gate.reference,
                'reference_source': 'measured' if self.reference is None else 'given',
                'history': self.gate.history,
                'closed_at': None
                if closed_at is None
                else {'iter': closed_at, 'epoch': closed_at / iters_per_epoch(runner)},
                'schedule': self._schedule_facts(),
            },
        )


def _student_of(runner: Any) -> WeakToStrong:
    model = unwrapped(runner.model)
    if not isinstance(model, WeakToStrong):
        raise W2SError(
            f'WeakToStrongHook needs a model with a teacher, and found {type(model).__name__}. '
            f"Set model.type to its distilled counterpart, e.g. 'W2SRetinaNet'."
        )
    return model
