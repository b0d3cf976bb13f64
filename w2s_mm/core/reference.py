"""Measure the teacher's metric on the student's validation set (Algorithm 1, step 1)."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from torch import nn

from w2s_mm.utils.files import read_json, write_json
from w2s_mm.utils.mm import evaluating
from w2s_mm.utils.rng import preserved_rng
from w2s_mm.utils.run_files import TEACHER_REFERENCE

from .probe import Probe
from .tape import Tape, record


class Measurement(NamedTuple):
    """Result of one evaluation of a teacher.

    Attributes:
        metrics: All metrics the evaluator reports.
        entropy: Mean entropy of its predictions in nats; None if not measured or not available.
        answers: Number of these predictions.
    """

    metrics: dict[str, float]
    entropy: float | None = None
    answers: int = 0


class _Progress(Hook):
    """Logs the progress of the evaluation every few seconds."""

    def __init__(self, say: Callable[[str], None], seconds: float = 10.0) -> None:
        self.say = say
        self.seconds = seconds
        self._last = time.monotonic()

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        now = time.monotonic()
        if now - self._last >= self.seconds:
            self._last = now
            total = len(runner.val_dataloader)
            self.say(f'Teacher evaluation [{batch_idx + 1}/{total}]')


class _Entropy(Hook):
    """Accumulates the entropy of a model's recorded predictions."""

    def __init__(self, probe: Probe | None, model: nn.Module, tape: Tape) -> None:
        self._probe, self._model, self._tape = probe, model, tape
        self._sum, self._count = 0.0, 0

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if self._probe is None:
            return
        if all(self._tape.values()):  # without proposals a detector does not run its box head
            entropy = self._probe.entropy(self._model, self._tape).detach().cpu().double()
            self._sum += float(entropy.sum())
            self._count += len(entropy)
        for calls in self._tape.values():
            calls.clear()

    def result(self) -> tuple[float | None, int]:
        """Mean and number of predictions, over all processes."""
        parts = all_gather_object((self._sum, self._count))
        total, count = (sum(column) for column in zip(*parts, strict=True))
        return (total / count if count and math.isfinite(total) else None), count


@contextmanager
def _in_place_of_student(runner: Any, model: nn.Module, hooks: Sequence[Hook]) -> Iterator[None]:
    """Evaluate ``model`` in the runner's validation loop, isolated from its hooks and RNG."""
    with evaluating(runner, model, hooks), preserved_rng():
        yield


def validate(runner: Any) -> dict[str, float]:
    """Metrics of the model as it is now; no hook sees them, and no random number is used up."""
    with _in_place_of_student(runner, runner.model, ()):
        return dict(runner.val_loop.run())


def measure_reference(runner: Any, teacher: nn.Module, fingerprint: str) -> dict[str, float]:
    """Evaluate the teacher with the student's validation loop and evaluator.

    The result is cached in the work directory, keyed by the teacher's weights and config and by the
    validation set, so a resumed or repeated run does not measure again.

    Args:
        runner: The student's runner.
        teacher: The frozen model.
        fingerprint: Hash of its weights and configuration.

    Returns:
        All metrics the evaluator reports.
    """
    path = Path(runner.work_dir) / TEACHER_REFERENCE
    return measure(runner, teacher, fingerprint, path, say=runner.logger.info).metrics


def measure(
    runner: Any,
    teacher: nn.Module,
    fingerprint: str,
    path: Path,
    *,
    say: Callable[[str], None],
    probe: Probe | None = None,
) -> Measurement:
    """Like :func:`measure_reference`, with the cache in ``path``, and optionally the entropy.

    Args:
        runner: The student's runner.
        teacher: The frozen model.
        fingerprint: Hash of its weights and configuration.
        path: File that caches the result.
        say: Function that logs a line of progress.
        probe: Measures the entropy of the teacher's predictions; not measured if None.
    """
    key = _key(runner, fingerprint, probe is not None)
    shared: list[dict[str, Any] | None] = [None]
    if is_main_process():
        cached = read_json(path)
        if isinstance(cached, dict) and cached.pop('key', None) == key:
            shared = [cached]
    broadcast_object_list(shared)
    if shared[0] is not None:
        say(f'Teacher reference loaded from {path}.')
        return Measurement(**shared[0])
    say('Evaluating the teacher on the validation set. This happens once.')
    with record(teacher, probe.taps(teacher) if probe else ()) as tape:
        entropy = _Entropy(probe, teacher, tape)
        with _in_place_of_student(runner, teacher, (_Progress(say), entropy)):
            metrics = runner.val_loop.run()
    metrics = {name: float(value) for name, value in metrics.items()}
    measured = Measurement(metrics, *entropy.result())
    if is_main_process():
        write_json(path, {'key': key, **measured._asdict()})
    return measured


def probe_metric_names(runner: Any, teacher: nn.Module) -> list[str]:
    """Metric names, from evaluating one batch; empty if one batch is not enough."""
    loop = runner.val_loop
    with _in_place_of_student(runner, teacher, ()):
        batch = next(iter(loop.dataloader))
        loop.run_iter(0, batch)
        return sorted(loop.evaluator.evaluate(len(loop.dataloader.dataset)) or {})


def _key(runner: Any, fingerprint: str, with_entropy: bool) -> str:
    cfg = runner.cfg
    # Version of the measurement; 2: with contiguous weights.
    parts = [2, fingerprint, len(runner.val_dataloader.dataset)]
    parts += [cfg.get(name) for name in ('val_dataloader', 'val_evaluator', 'val_cfg')]
    if with_entropy:  # the head selects the predictions
        parts.append(cfg.model.distill_head)
    digest = hashlib.sha256(repr(parts).encode())
    annotations = Path(str(getattr(runner.val_dataloader.dataset, 'ann_file', '')))
    if annotations.is_file():
        digest.update(annotations.read_bytes())
    return digest.hexdigest()
