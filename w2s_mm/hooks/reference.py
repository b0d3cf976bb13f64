"""The teacher's metric on the student's validation set, measured once (Algorithm 1, step 1)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from torch import nn

from w2s_mm.core.files import write_json
from w2s_mm.core.rng import preserved_rng

FILE = 'teacher_reference.json'


class _Progress(Hook):
    """Says where the evaluation is, every few seconds."""

    def __init__(self, seconds: float = 10.0) -> None:
        self.seconds = seconds
        self._last = time.monotonic()

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        now = time.monotonic()
        if now - self._last >= self.seconds:
            self._last = now
            total = len(runner.val_dataloader)
            runner.logger.info(f'Teacher evaluation [{batch_idx + 1}/{total}]')


@contextmanager
def _in_place_of_student(runner: Any, model: nn.Module) -> Iterator[None]:
    """Let the runner's validation loop run ``model``, unseen by the run's hooks and its RNG."""
    student, hooks = runner.model, runner._hooks
    runner.model, runner._hooks = model, [_Progress()]
    try:
        with preserved_rng():
            yield
    finally:
        runner.model, runner._hooks = student, hooks
        # Persistent workers would skip the random draw of the student's own first validation.
        runner.val_dataloader._iterator = None


def measure_reference(runner: Any, teacher: nn.Module, fingerprint: str) -> dict[str, float]:
    """Evaluate the teacher with the student's validation loop and evaluator.

    The result is kept in the work directory, keyed by the teacher's weights and configuration and
    by the validation set, so that resuming or repeating a run does not measure again.

    Args:
        runner: The student's runner.
        teacher: The frozen model.
        fingerprint: Hash of its weights and configuration.

    Returns:
        Every metric that the evaluator reports.
    """
    path = Path(runner.work_dir) / FILE
    key = _key(runner, fingerprint)
    shared: list[dict[str, float] | None] = [None]
    if is_main_process() and path.is_file():
        kept = json.loads(path.read_text())
        if kept.get('key') == key:
            shared = [kept['metrics']]
    broadcast_object_list(shared)
    if shared[0] is not None:
        runner.logger.info(f'Teacher reference taken from {path}.')
        return shared[0]
    runner.logger.info('Measuring the teacher on the validation set, once.')
    with _in_place_of_student(runner, teacher):
        metrics = runner.val_loop.run()
    metrics = {name: float(value) for name, value in metrics.items()}
    if is_main_process():
        write_json(path, {'key': key, 'metrics': metrics})
    return metrics


def probe_metric_names(runner: Any, teacher: nn.Module) -> list[str]:
    """Names of the metrics, from one batch; empty where a batch is too little to tell."""
    loop = runner.val_loop
    with _in_place_of_student(runner, teacher):
        batch = next(iter(loop.dataloader))
        loop.run_iter(0, batch)
        return sorted(loop.evaluator.evaluate(len(loop.dataloader.dataset)) or {})


def _key(runner: Any, fingerprint: str) -> str:
    cfg = runner.cfg
    parts = [fingerprint, len(runner.val_dataloader.dataset)]
    parts += [cfg.get(name) for name in ('val_dataloader', 'val_evaluator', 'val_cfg')]
    digest = hashlib.sha256(repr(parts).encode())
    annotations = Path(str(getattr(runner.val_dataloader.dataset, 'ann_file', '')))
    if annotations.is_file():
        digest.update(annotations.read_bytes())
    return digest.hexdigest()
