"""One of two processes: a toy starts from its teacher, and every rank tells its weights."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.runner import Runner

from tests.hooks.toy import make_config
from w2s_mm.commands.cli import leave_processes, prepare_cpu_processes
from w2s_mm.hooks import StartHook
from w2s_mm.utils.mm import unwrapped


def train(folder: Path) -> None:
    teacher = dict(config=dict(type='ToyNet', width=4), checkpoint=str(folder / 'teacher.pth'))
    config = make_config(folder / 'run', teacher, launcher='pytorch')
    config.default_hooks.start = dict(type='StartHook', how='grow', keep=0.9)
    prepare_cpu_processes(config)
    runner = Runner.from_cfg(config)
    hook = next(hook for hook in runner.hooks if isinstance(hook, StartHook))
    start = hook.before_train

    def started(runner: Runner) -> None:
        start(runner)
        state = {k: v.clone() for k, v in unwrapped(runner.model).state_dict().items()}
        torch.save(state, folder / f'start{get_rank()}.pth')

    hook.before_train = started  # type: ignore[method-assign]
    runner.train()


if __name__ == '__main__':
    torch.set_num_threads(1)
    train(Path(sys.argv[1]))
    leave_processes()
