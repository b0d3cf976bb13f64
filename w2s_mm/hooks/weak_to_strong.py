"""The hook that runs distillation: schedules, reference, stop rule, resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from w2s_mm.core.adapters import adapter_state, load_adapter_state
from w2s_mm.core.compiled import compile_parts
from w2s_mm.core.evaluator import check_reported
from w2s_mm.core.metric import Rule, check_metric_range, pick_metric, surpasses, worst
from w2s_mm.core.reference import measure_reference, probe_metric_names, validate
from w2s_mm.core.registry import build_schedule, build_stop, build_temperature
from w2s_mm.core.schedule import Schedule, TemperatureRamp, Unit
from w2s_mm.core.student import DISTILL_PREFIX, WeakToStrong
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json
from w2s_mm.utils.mm import (
    is_resuming,
    iters_per_epoch,
    plain_types,
    undo_compile,
)
from w2s_mm.utils.polyline import Polyline
from w2s_mm.utils.run_files import FORMATS, WEAK_TO_STRONG

from .distilled_run import (
    check_run,
    check_targets,
    check_unchanged,
    end_distillation,
    starts_lossless,
    student_of,
    taps_of,
)

# Part of the teacher's metric that counts as its level, for a student that computes the same.
AT_START = 0.99


@HOOKS.register_module()
class WeakToStrongHook(Hook):
    """Algorithm 1 of arXiv 2604.15451 around a :class:`~w2s_mm.core.student.WeakToStrong` model.

    Before training it builds and checks the teacher, and measures its metric ``m_ref`` with the
    student's validation loop. It sets ``lambda(u)`` and ``T(u)`` of the model in every iteration,
    and passes the metric to the stop rule after every validation. When the stop rule fires, or all
    schedules have ended, distillation ends: the weight stays 0, the teacher's memory is freed and
    the heads are removed. With EMA, the stop rule receives the metric of the EMA model.

    A student that :class:`~w2s_mm.hooks.StartHook` has started without loss is validated once
    before training. If it is at its teacher's level, distillation ends before the first iteration:
    there is nothing left to learn.

    After every validation it writes ``weak_to_strong.json`` to the work directory: the reference,
    the validations, the weights used, and when distillation ended.

    Args:
        metric: Name of the metric in the evaluator's results, e.g. ``'coco/bbox_mAP_50'``.
        schedule: Config of a schedule; ``type`` defaults to
            :class:`~w2s_mm.core.schedule.WarmupHoldDecay`. A distill head can have its own.
        temperature: A constant, or arguments of
            :class:`~w2s_mm.core.schedule.TemperatureRamp`. A distill head can have its own.
        stop: Config of a stop rule. Default: :class:`~w2s_mm.core.stop.SurpassGate` with k = 2, as
            in the paper.
        rule: ``'greater'`` when a higher metric is better, ``'less'`` otherwise.
        reference: The teacher's metric. Default: measured before training.

    Raises:
        W2SError: An argument is out of range; or, before training starts, the teacher, the metric,
            the reference or a schedule does not fit the run.
    """

    def __init__(
        self,
        metric: str,
        schedule: dict[str, Any],
        temperature: float | dict[str, Any] = 1.0,
        stop: dict[str, Any] | None = None,
        rule: Rule = 'greater',
        reference: float | None = None,
    ) -> None:
        checks.text('metric of WeakToStrongHook', metric)
        checks.choice('rule of WeakToStrongHook', rule, get_args(Rule))
        stop = {'type': 'SurpassGate'} if stop is None else stop
        self.metric = metric
        self.rule: Rule = rule
        self.schedule = build_schedule(schedule)
        self.temperature = build_temperature(temperature)
        self.stop = build_stop(stop, rule)
        if reference is not None:
            check_metric_range(metric, reference, 'The given reference')
        self.given_reference = reference
        self.reference: float | None = None
        self.history: list[dict[str, Any]] = []
        self.closed_at: int | None = None
        self._settings = plain_types(
            {
                'metric': metric,
                'rule': rule,
                'schedule': schedule,
                'temperature': temperature,
                'stop': stop,
                'reference': reference,
            }
        )
        self._restored: dict[str, Any] | None = None
        self._resumed_without_state = False
        self._known = False  # whether the evaluator is known to report the metric
        self._watching = False  # whether this run distills
        self._ended = False  # whether distillation had ended at the checkpoint
        self._student: WeakToStrong | None = None  # set while distillation is not over
        self._heads: list[tuple[Schedule, TemperatureRamp]] = []
        self._head_names: list[str] = []
        self._taps: list[str] = []
        self._weights: list[Polyline] = []
        self._fingerprint: str | None = None
        self._iters: dict[Unit, float] = {}

    def before_run(self, runner: Any) -> None:
        """Check the metric, before the teacher is built and measured."""
        self._known = check_reported(runner, self.metric, type(self).__name__)

    # ------------------------------------------------------------------ state

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save the state of the stop rule, the adapters and the history, but not the teacher."""
        checkpoint['weak_to_strong'] = {
            'settings': self._settings,
            'iters': dict(self._iters),
            'stop': self.stop.state_dict(),
            'reference': self.reference,
            'history': [dict(entry) for entry in self.history],
            'closed_at': self.closed_at,
            'ended': self._watching and self._student is None,
            'weights': [line.state_dict() for line in self._weights],
            'adapters': adapter_state(student_of(runner).distill_heads),
            'answers': student_of(runner).guard.state_dict(),
            'teacher': self._fingerprint,
        }

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Read the state from a resumed checkpoint; ``load_from`` is ignored."""
        if not is_resuming(runner):
            return
        self._restored = checkpoint.get('weak_to_strong')
        self._resumed_without_state = self._restored is None
        if self._restored and self._restored.get('ended'):
            student = student_of(runner)
            self._read_heads(student)
            self._taps = taps_of(student)
            # Before the optimizer's state is loaded, which has no adapters.
            end_distillation(runner)

    # ---------------------------------------------------------- before training

    def before_train(self, runner: Any) -> None:
        """Algorithm 1, step 1: check the run, measure ``m_ref``, open the stop rule."""
        student = student_of(runner)
        student.set_distillation(weight=0.0, temperature=1.0)
        if not self._heads:  # else distillation ended before the checkpoint
            self._read_heads(student)
        if student.gamma == 0 or all(schedule.length == 0 for schedule, _ in self._heads):
            runner.logger.info('Distillation is off: this run is the baseline.')
            return
        self._watching = True
        total = float(runner.train_loop.max_iters)
        self._iters = {'iter': 1.0, 'epoch': iters_per_epoch(runner), 'training': total}
        check_run(runner, [schedule for schedule, _ in self._heads], self._iters)
        self._restore(runner)
        if self._ended or runner.iter >= self._last_iter:
            self._taps = self._taps or taps_of(student)
            end_distillation(runner)
        else:
            student.prepare_teacher()
            self._taps = taps_of(student)
            self._check_teacher(runner, student)
            if self._restored is None:
                self._open(runner, student)
            else:
                load_adapter_state(student.distill_heads, self._restored['adapters'])
            self._student = student
            if self._restored is None and starts_lossless(runner):
                self._check_start(runner)
        runner.logger.info(
            f'Weak-to-strong distillation: teacher {self.metric} = {self.reference:.4f}; until '
            f'iteration {self._last_iter:.0f} or until {self.stop.describe()}'
            + (f' (ended at iteration {self.closed_at}).' if self.closed_at is not None else '.')
        )
        options = undo_compile(runner)
        if options is not None:
            parts = compile_parts(student, self._taps, **options)
            runner.logger.info(f'Compiled, each on its own: {", ".join(parts)}.')
        self._write(runner)

    def _read_heads(self, student: WeakToStrong) -> None:
        self._heads = [
            (head.schedule or self.schedule, head.temperature or self.temperature)
            for head in student.distill_heads
        ]
        self._head_names = [type(head).__name__ for head in student.distill_heads]
        self._weights = [Polyline() for _ in self._heads]

    @property
    def _last_iter(self) -> float:
        """Iteration from which all schedules are 0."""
        return self._last(self._iters)

    def _last(self, iters: dict[Unit, float]) -> float:
        ends = (schedule.length * iters[schedule.unit] for schedule, _ in self._heads)
        return max(ends, default=0.0)

    def _check_teacher(self, runner: Any, student: WeakToStrong) -> None:
        teacher = student.teacher
        if self._fingerprint not in (None, teacher.fingerprint):
            raise W2SError(
                f'The teacher has changed since this run was started: the weights in '
                f'{teacher.checkpoint} or their config differ. Restore them, or start a new run '
                f'in another --work-dir.'
            )
        self._fingerprint = teacher.fingerprint
        teacher.check_classes(runner.train_dataloader.dataset)

    def _restore(self, runner: Any) -> None:
        if self._resumed_without_state:
            raise W2SError(
                'The checkpoint to resume from was written by a run without WeakToStrongHook. '
                'Resume that run with its own config, or start this one in another --work-dir.'
            )
        if self._restored is None:
            return
        if 'settings' not in self._restored:
            raise W2SError(
                'The checkpoint to resume from was written by w2s_mm 0.1, which saved the state of '
                'its stop rule in another format. Finish that run with w2s_mm 0.1, or start it '
                'again in another --work-dir. Its weights can still be loaded with load_from.'
            )
        kept = self._restored
        # The schedule of a complete run has ended, though its last checkpoint is from before that.
        # Such a run can be made longer, also with a schedule in fractions of its length.
        same = kept['settings'] == self._settings
        self._ended = kept['ended'] or (same and runner.iter >= self._last(kept['iters']))
        if not self._ended:
            units = {each.unit for pair in self._heads for each in pair}
            check_unchanged(kept, self._settings, self._iters, units)
        self.stop.load_state_dict(kept['stop'])
        self.reference = kept['reference']
        self.history = [dict(entry) for entry in kept['history']]
        self.closed_at = kept['closed_at']
        self._fingerprint = kept['teacher']
        if 'answers' in kept:
            student_of(runner).guard.load_state_dict(kept['answers'])
        self._weights = [Polyline() for _ in kept['weights']]
        for line, state in zip(self._weights, kept['weights'], strict=True):
            line.load_state_dict(state)

    def _open(self, runner: Any, student: WeakToStrong) -> None:
        teacher = student.teacher
        teacher.to(next(student.parameters()).device)  # type: ignore[attr-defined]
        if self.given_reference is None:
            assert teacher.fingerprint is not None
            metrics = measure_reference(runner, teacher.model, teacher.fingerprint)
            value = pick_metric(metrics, self.metric, self.rule)
            check_targets(runner, metrics)
            check_metric_range(self.metric, value, "The teacher's measured reference")
        else:
            value = self.given_reference
            names = probe_metric_names(runner, teacher.model)
            reported = dict.fromkeys(names, 0.0)
            pick_metric(reported, self.metric, self.rule, self._known)
            check_targets(runner, reported)
        self.reference = value
        self.stop.open(value)

    def _check_start(self, runner: Any) -> None:
        """Validate a student that was started without loss; as good as its teacher, it is done."""
        runner.logger.info('The start is lossless: validating the student once before training.')
        known = self._known or self.given_reference is None
        value = pick_metric(validate(runner), self.metric, self.rule, known)
        assert self.reference is not None
        nearly = AT_START if self.rule == 'greater' else 1 / AT_START
        stopped = self.stop.observe(value, runner.iter)
        self.history.append({'iter': runner.iter, 'value': value, **self.stop.scalars()})
        if stopped or surpasses(value, nearly * self.reference, self.rule):
            self.closed_at = runner.iter
            self._end_distillation(
                runner,
                f'the student starts at {value:.4f} and the teacher has {self.reference:.4f}, so '
                f'there is nothing left to learn from it',
            )

    # ----------------------------------------------------------- while training

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Algorithm 1, steps 2-3: set ``lambda(u)`` and ``T(u)`` of the model."""
        if self._student is not None:
            if runner.iter >= self._last_iter:
                self._end_distillation(runner, 'the schedule has ended')
            else:
                self._push(runner)
        used = [0.0] * len(self._heads) if self._student is None else self._student.weights
        temperatures = (
            [0.0] * len(self._heads) if self._student is None else self._student.temperatures
        )
        hub = runner.message_hub
        for index, (weight, temperature) in enumerate(zip(used, temperatures, strict=True)):
            if self._watching:
                self._weights[index].add(runner.iter, weight)
            suffix = f'_{index}' if len(self._heads) > 1 else ''
            hub.update_scalar(f'train/distill_lambda{suffix}', weight)
            hub.update_scalar(f'train/distill_temperature{suffix}', temperature)
        if self._student is None:
            # Otherwise MMEngine logs their last values until the end of the run.
            for name in hub.log_scalars:
                if name.startswith(f'train/{DISTILL_PREFIX}'):
                    hub.update_scalar(name, 0.0)

    def _push(self, runner: Any) -> None:
        assert self._student is not None
        weights, temperatures = [], []
        for schedule, temperature in self._heads:
            weights.append(schedule(runner.iter / self._iters[schedule.unit]))
            temperatures.append(temperature(runner.iter / self._iters[temperature.unit]))
        self._student.set_distillation(weights, temperatures)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Algorithm 1, steps 4-5: update the stop rule, and end distillation if it fires."""
        if not self._watching or any(entry['iter'] == runner.iter for entry in self.history):
            return
        known = self._known or self.given_reference is None  # it was reported of the teacher
        known = known or any(entry['value'] != worst(self.rule) for entry in self.history)
        value = pick_metric(metrics or {}, self.metric, self.rule, known)
        stopped = self.stop.observe(value, runner.iter)
        scalars = self.stop.scalars()
        self.history.append({'iter': runner.iter, 'value': value, **scalars})
        if stopped and self.closed_at is None:
            self.closed_at = runner.iter
            self._end_distillation(
                runner,
                f'{self.stop.describe()} ({value:.4f}, teacher {self.reference:.4f})',
            )
        elif not stopped:
            runner.logger.info(
                f'{self.metric}: student {value:.4f}, teacher {self.reference:.4f}'
                + ''.join(f', {name} {scalar:g}' for name, scalar in scalars.items())
            )
        closed = float(self.closed_at is not None)
        for name, scalar in {**scalars, 'reference': self.reference, 'closed': closed}.items():
            runner.message_hub.update_scalar(f'val/distill_{name}', scalar)
        self._write(runner)

    def _end_distillation(self, runner: Any, reason: str) -> None:
        if self._student is None:
            return
        asked = self._student.teacher.account()
        end_distillation(runner)
        self._student = None
        answers = student_of(runner).guard.state_dict()
        lost = (
            f'{answers["dropped"]} of its {answers["answers"]} answers had NaN or infinity and '
            f'were ignored. '
        )
        runner.logger.info(
            f'Distillation ended at iteration {runner.iter}: {reason}. The teacher is released. '
            f'{asked}{lost if answers["dropped"] else ""}The run continues as plain training.'
        )

    def after_train(self, runner: Any) -> None:
        """Write the weights of the last iterations."""
        if self._watching:
            self._write(runner)

    def _write(self, runner: Any) -> None:
        answers = student_of(runner).guard.state_dict()
        if not is_main_process():
            return
        closed = self.closed_at
        write_json(
            Path(runner.work_dir) / WEAK_TO_STRONG,
            {
                'format': FORMATS[WEAK_TO_STRONG],
                'metric': self.metric,
                'rule': self.rule,
                'reference': self.reference,
                'reference_source': 'measured' if self.given_reference is None else 'given',
                'history': self.history,
                'closed_at': None
                if closed is None
                else {'iter': closed, 'epoch': closed / iters_per_epoch(runner)},
                'answers': answers,
                'schedule': self._settings['schedule'],
                'temperature': self._settings['temperature'],
                'stop': self._settings['stop'],
                'weights': [
                    {'head': name, 'points': line.points}
                    for name, line in zip(self._head_names, self._weights, strict=True)
                ],
            },
        )
