"""Whether the total batch of a run is the one that its learning rate is for."""

from __future__ import annotations

import os
from typing import Any

from mmengine.config import Config

from w2s_mm.utils.batch import TotalBatch, total_batch
from w2s_mm.utils.errors import W2SError

# Where a launcher writes the number of processes.
_PROCESSES = {'pytorch': 'WORLD_SIZE', 'slurm': 'SLURM_NTASKS', 'mpi': 'OMPI_COMM_WORLD_SIZE'}


def processes_of(cfg: Config) -> int:
    """Number of processes of the run that is being started."""
    variable = _PROCESSES.get(cfg.get('launcher') or 'none')
    return int(os.environ.get(variable, 1)) if variable else 1


def add_batch(
    there: dict[str, Any], now: dict[str, Any], record: Any, batch: TotalBatch | None
) -> None:
    """Add the total batch and the scaling of the learning rate to two lists of settings.

    Args:
        there: Settings of a run that was started before.
        now: Settings of the run that is being started.
        record: What the first one recorded (``run.json``); nothing is added without it.
        batch: The total batch of the second one.
    """
    kept = record.get('batch') if isinstance(record, dict) else None
    if kept and batch:
        for settings, each in ((there, kept), (now, batch.record())):
            settings['total batch'] = each['total']
            settings['learning rate, times that of the config'] = each['lr_factor']


def check_batch(cfg: Config, config: str, processes: int, on_gpus: str) -> None:
    """Check that the config's learning rate is for the total batch of this run, or is scaled to it.

    Args:
        cfg: The config of the run.
        config: Its name, for the message.
        processes: Number of processes.
        on_gpus: What to type to use ``{}`` GPUs.

    Raises:
        W2SError: The config names another total batch (``auto_scale_lr.base_batch_size``), and the
            learning rate is not to be scaled; or it cannot be.
    """
    scale = cfg.get('auto_scale_lr') or {}
    if scale.get('enable') and scale.get('base_batch_size') is None:
        raise W2SError(
            f'Scaling the learning rate needs the total batch that it is for, and {config} does '
            f'not name it. Add auto_scale_lr=dict(base_batch_size=...).'
        )
    batch = total_batch(cfg, processes)
    if batch is None or batch.base is None or batch.total == batch.base:
        return
    parts = f'batch size {batch.per_process} x {batch.processes} process'
    parts += 'es' if batch.processes > 1 else ''
    parts += f' x {batch.accumulation} accumulated' if batch.accumulation > 1 else ''
    if batch.scaled:
        if batch.accumulation > 1 and cfg.get('runner_type', 'Runner') != 'Runner':
            raise W2SError(
                f'{cfg.runner_type} cannot scale the learning rate to accumulated batches '
                f'({parts} = {batch.total}). Leave out --auto-scale-lr and set the learning rate: '
                f'--cfg-options auto_scale_lr.base_batch_size={batch.total} '
                f'optim_wrapper.optimizer.lr=...'
            )
        return
    lr = cfg.optim_wrapper.optimizer.get('lr')
    rates = ('', '') if lr is None else (f' {lr:g}', f' {lr * batch.total / batch.base:g}')
    around = batch.processes * batch.accumulation
    ways = [('--auto-scale-lr', f'batch {batch.total}, learning rate{rates[1]}')]
    if batch.base % around == 0:
        ways.append(
            (
                f'--cfg-options train_dataloader.batch_size={batch.base // around}',
                f'batch {batch.base}, learning rate{rates[0]}',
            )
        )
    gpus, rest = divmod(batch.base, batch.per_process * batch.accumulation)
    if not rest:
        ways.append((on_gpus.format(gpus), f'the same on {gpus} GPUs'))
    ways.append(
        (
            f'--cfg-options auto_scale_lr.base_batch_size={batch.total}',
            f'batch {batch.total}, learning rate{rates[0]}, if it is for this batch',
        )
    )
    width = max(len(what) for _, what in ways)
    raise W2SError(
        f'The total batch of this run is {batch.total} ({parts}), and the learning rate'
        f'{rates[0]} of {config} is for {batch.base} (auto_scale_lr.base_batch_size). Type one of:'
        + ''.join(f'\n  {what:<{width}}  {typed}' for typed, what in ways)
    )
