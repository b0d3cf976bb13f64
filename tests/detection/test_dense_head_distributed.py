"""The detection term over two processes against one on the same global batch (gloo, CPU)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from torch import distributed


def gradient(student, inputs, samples) -> torch.Tensor:
    """Gradient of the distillation terms alone, in evaluation mode (no batch statistics)."""
    losses = student.loss(inputs, samples)
    sum(value for name, value in losses.items() if 'distill' in name).backward()
    return torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None])


def work(rank: int, folder: Path, student, inputs, samples) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    part = gradient(student, inputs[rank : rank + 1], samples[rank : rank + 1])
    distributed.all_reduce(part)
    if rank == 0:
        torch.save(part / 2, folder / 'gradient.pt')  # DDP averages over the ranks
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize('box', ['l1', 'giou'])
def test_two_processes_have_the_gradient_of_one(make_student, make_batch, tmp_path, box):
    student = make_student(box=box).eval()
    inputs, samples = make_batch(student)
    student.set_distillation(1.0, 2.0)
    student.prepare_teacher()
    answer = student.teacher.model(inputs, mode='tensor')[0]
    confident = [sum((m[i].sigmoid() > 0.2).sum().item() for m in answer) for i in range(2)]
    assert confident[0] != confident[1]  # a normaliser that is not averaged would show
    mp.start_processes(
        work, args=(tmp_path, student, inputs, samples), nprocs=2, start_method='fork'
    )
    together = torch.load(tmp_path / 'gradient.pt', weights_only=True)
    alone = gradient(student, inputs, samples)
    assert alone.abs().max() > 0
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
