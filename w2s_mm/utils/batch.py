"""The total batch of a run, and the learning rate that belongs to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from .errors import W2SError


class TotalBatch(NamedTuple):
    """Images behind one step of the optimizer.

    Attributes:
        per_process: Batch size of the training data loader.
        processes: Number of processes.
        accumulation: Batches whose gradients are added up for a step.
        base: Total batch that the config's learning rate is for, ``base_batch_size`` of
            ``auto_scale_lr``; None if the config names none.
        scaled: Whether the learning rate is scaled to the total batch.
    """

    per_process: int
    processes: int
    accumulation: int
    base: int | None
    scaled: bool

    @property
    def total(self) -> int:
        """Images behind one step."""
        return self.per_process * self.processes * self.accumulation

    @property
    def lr_factor(self) -> float:
        """Factor of the config's learning rate, 1 if it is not scaled."""
        return self.total / self.base if self.scaled and self.base else 1.0

    def record(self) -> dict[str, Any]:
        """What ``run.json`` and checkpoints keep."""
        parts = {name: getattr(self, name) for name in ('per_process', 'processes', 'accumulation')}
        return {'total': self.total, **parts, 'base': self.base, 'lr_factor': self.lr_factor}


def total_batch(cfg: Any, processes: int) -> TotalBatch | None:
    """The total batch of a config on this number of processes.

    Args:
        cfg: The config of a run.
        processes: Number of processes.

    Returns:
        None if the config has no batch size, or several optimizers.

    Raises:
        W2SError: A number is not an integer of at least 1.
    """
    scale = cfg.get('auto_scale_lr') or {}
    wrapper = cfg.get('optim_wrapper') or {}
    per_process = (cfg.get('train_dataloader') or {}).get('batch_size')
    if per_process is None or 'optimizer' not in wrapper:
        return None
    numbers = {
        'train_dataloader.batch_size': per_process,
        'optim_wrapper.accumulative_counts': wrapper.get('accumulative_counts', 1),
    }
    if (base := scale.get('base_batch_size')) is not None:
        numbers['auto_scale_lr.base_batch_size'] = base
    for name, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise W2SError(f'{name} is {value!r}; expected an integer of at least 1.')
    return TotalBatch(
        per_process,
        processes,
        numbers['optim_wrapper.accumulative_counts'],
        base,
        bool(scale.get('enable', False)),
    )
