"""One of several processes: trains the toy and leaves what the test compares."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import torch
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch.nn.parallel import DistributedDataParallel

from tests.hooks.toy import make_config
from w2s_mm.commands.cli import leave_processes, prepare_cpu_processes
from w2s_mm.utils.mm import unwrapped

HEADS = [dict(type='ToyDistillHead'), dict(type='ToyFeatureHead', weight=0.5)]


def train(folder: Path, processes: int) -> None:
    teacher = dict(
        config=dict(type='ToyNet', width=4, norm=False), checkpoint=str(folder / 'teacher.pth')
    )
    config = make_config(
        folder / f'run{processes}',
        teacher,
        norm=False,
        hook=dict(stop=dict(k=3)),
        schedule=dict(unit='training', lambda_max=1.0, warmup=0.1, hold=0.9, decay=0.0),
        launcher='pytorch',
        model=dict(distill_head=HEADS),
    )
    config.train_dataloader.batch_size = 6 // processes
    config.train_dataloader.dataset.augment = False
    prepare_cpu_processes(config)
    runner = Runner.from_cfg(config)
    model = unwrapped(runner.model)
    if not is_main_process():  # adapters start alike all the same
        model.distill_heads[1].project.weight.data.add_(1.0)
    runner.train()
    if is_main_process():
        torch.save(model.state_dict(), folder / f'weights{processes}.pth')


if __name__ == '__main__':
    torch.set_num_threads(1)
    train(Path(sys.argv[1]), int(sys.argv[2]))
    leave_processes()
    # Held by nothing: else the group's threads may abort the process as it ends, now and then.
    assert not any(isinstance(each, DistributedDataParallel) for each in gc.get_objects())
