"""Measure first@tau during a run, in epochs, iterations and seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from w2s_mm.core.evaluator import check_reported
from w2s_mm.core.metric import Rule, check_metric_range, first_at, pick_metric, sustained_at, worst
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json
from w2s_mm.utils.mm import is_epoch_based, is_resuming, iters_per_epoch
from w2s_mm.utils.run_files import FORMATS, TIME_TO_TARGET


@HOOKS.register_module()
class TimeToTargetHook(Hook):
    """Records when the metric reaches each target (arXiv 2604.15451, section 4.1).

    After every validation it writes ``time_to_target.json`` to the work directory: the history, and
    for each threshold the first evaluation at or beyond it and the first of ``k`` such evaluations
    in a row. Each is given in epochs, iterations, training seconds (with the teacher's forward
    passes, without validation) and wall seconds (everything since the run started, with the
    evaluation of the teacher). After a resume the clocks continue from the checkpoint.

    A run may have several of these hooks, for several metrics. The first writes
    ``time_to_target.json``, which ``w2s compare`` and ``w2s report`` read; the others write
    ``time_to_target.<metric>.json``. Those with ``stop`` end the run once the targets of
    all of them hold.

    Args:
        metric: Name of the metric in the evaluator's results.
        thresholds: Targets ``tau``, on the scale of the metric.
        rule: ``'greater'`` when a higher metric is better, ``'less'`` otherwise.
        k: Number of evaluations in a row for a sustained crossing.
        stop: Stop the run once all targets have been reached ``k`` times in a row.

    Raises:
        W2SError: There is no threshold, or one is out of the metric's range.
    """

    priority = 'VERY_HIGH'  # stop the clock before other hooks work on the validation

    def __init__(
        self,
        metric: str,
        thresholds: Sequence[float],
        rule: Rule = 'greater',
        k: int = 2,
        stop: bool = False,
    ) -> None:
        checks.text('metric of TimeToTargetHook', metric)
        checks.choice('rule of TimeToTargetHook', rule, get_args(Rule))
        checks.whole_number('k of TimeToTargetHook', k)
        checks.flag('stop of TimeToTargetHook', stop)
        checks.several(
            'thresholds of TimeToTargetHook',
            thresholds,
            lambda what, value: check_metric_range(metric, value, what),
        )
        if not thresholds:
            raise W2SError('TimeToTargetHook has no thresholds; expected at least one.')
        self.metric = metric
        self.thresholds = list(thresholds)
        self.rule: Rule = rule
        self.k = k
        self.stop = stop
        self.history: list[dict[str, float]] = []
        self._training = False
        self._finished = False
        self.metric_known = False  # whether the evaluator is known to report the metric
        self._stem = Path(TIME_TO_TARGET).stem
        self._train_seconds = 0.0
        self._train_since: float | None = None
        self._wall_seconds = 0.0
        self._wall_since = time.perf_counter()

    # ----------------------------------------------------------------- clocks

    def before_run(self, runner: Any) -> None:
        """Start the wall clock; check the metric."""
        self._wall_since = time.perf_counter()
        hooks = [hook for hook in runner.hooks if isinstance(hook, TimeToTargetHook)]
        before = hooks[: [hook is self for hook in hooks].index(True)]
        if before:
            self._stem = f'{hooks[0]._stem}.{re.sub(r"[^A-Za-z0-9@-]+", "_", self.metric)}'
            same = sum(hook.metric == self.metric for hook in before[1:])
            self._stem += f'_{same + 1}' if same else ''
        self.metric_known = check_reported(runner, self.metric, type(self).__name__)

    def before_train(self, runner: Any) -> None:
        """Record validations from now on."""
        self._training = True

    def before_train_epoch(self, runner: Any) -> None:
        """Start or continue the training clock."""
        self._start()

    def before_val(self, runner: Any) -> None:
        """Pause the training clock."""
        self._pause()

    def after_val(self, runner: Any) -> None:
        """Continue the training clock."""
        self._start()

    def _start(self) -> None:
        if self._train_since is None:
            self._train_since = time.perf_counter()

    def _pause(self) -> None:
        if self._train_since is not None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()  # include work that is still queued
            self._train_seconds += time.perf_counter() - self._train_since
            self._train_since = None

    def _wall(self) -> float:
        return self._wall_seconds + time.perf_counter() - self._wall_since

    # ------------------------------------------------------------------ state

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save history and clocks."""
        running = self._train_since is not None
        self._pause()
        checkpoint[self._stem] = {
            'history': self.history,
            'train_seconds': self._train_seconds,
            'wall_seconds': self._wall(),
        }
        if running:
            self._start()

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Load history and clocks from a resumed checkpoint; ``load_from`` is ignored."""
        if is_resuming(runner) and self._stem in checkpoint:
            state = checkpoint[self._stem]
            self.history = list(state['history'])
            self._train_seconds = state['train_seconds']
            self._wall_seconds = state['wall_seconds']

    # ------------------------------------------------------------ measurement

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Record the metric and write the file."""
        if not self._training:  # ignore a standalone validation
            return
        if self.history and self.history[-1]['iter'] == runner.iter:  # counted before a resume
            return
        known = self.metric_known or any(p['value'] != worst(self.rule) for p in self.history)
        value = pick_metric(metrics or {}, self.metric, self.rule, known)
        if self.metric not in (metrics or {}):
            runner.logger.warning(
                f'The validation reported no {self.metric}, as if there was nothing to evaluate. '
                f'It counts as {value:g}.'
            )
        self.history.append(
            {
                'epoch': runner.iter / iters_per_epoch(runner),
                'iter': runner.iter,
                'train_seconds': self._train_seconds,
                'wall_seconds': self._wall(),
                'value': value,
            }
        )
        self._write(runner)
        stopping = [h for h in runner.hooks if isinstance(h, TimeToTargetHook) and h.stop]
        if self.stop and all(hook.reached for hook in stopping):
            runner.logger.info('All targets have been reached and sustained. Stopping the run.')
            runner.train_loop.stop_training = True

    def after_train(self, runner: Any) -> None:
        """Mark the file as complete."""
        self._finished = True  # also if a resumed run still has to run its last validation
        self._write(runner)

    @property
    def reached(self) -> bool:
        """Whether every target has been reached ``k`` times in a row."""
        return all(target['sustained'] for target in self._targets())

    def _targets(self) -> list[dict[str, Any]]:
        values = [point['value'] for point in self.history]

        def point(index: int | None) -> dict[str, float] | None:
            return None if index is None else self.history[index]

        return [
            {
                'threshold': tau,
                'first': point(first_at(values, tau, self.rule)),
                'sustained': point(sustained_at(values, tau, self.rule, self.k)),
            }
            for tau in self.thresholds
        ]

    def _write(self, runner: Any) -> None:
        if is_main_process():
            loop = runner.train_loop
            per_interval = iters_per_epoch(runner) if is_epoch_based(runner) else 1
            write_json(
                Path(runner.work_dir) / f'{self._stem}.json',
                {
                    'format': FORMATS[TIME_TO_TARGET],
                    'metric': self.metric,
                    'rule': self.rule,
                    'hits_in_a_row': self.k,
                    'seed': runner.seed,
                    'config': Path(runner.cfg.filename or runner.experiment_name).stem,
                    'max_iters': loop.max_iters,
                    'val_interval_iters': loop.val_interval * per_interval,
                    'finished': self._finished,
                    'history': self.history,
                    'targets': self._targets(),
                },
            )
