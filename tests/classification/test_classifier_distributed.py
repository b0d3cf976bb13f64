"""Two processes (gloo, CPU): the gradient of one, and one verdict on a teacher's answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from torch import distributed

from w2s_mm.core.guard import MAX_DROPPED, Guard
from w2s_mm.utils.errors import W2SError


def flat_gradient(student, inputs, samples) -> torch.Tensor:
    student.zero_grad()
    student.parse_losses(student.loss(inputs, samples))[0].backward()
    return torch.cat([p.grad.flatten() for p in student.parameters()])


def work(rank: int, folder: Path, student, inputs, samples, spoiled: bool) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    half = slice(2 * rank, 2 * rank + 2)
    if spoiled:  # on all ranks: they have seen answers before the processes were started
        student.guard = Guard('c.pth')
    if spoiled and rank == 1:
        forward = student.teacher.model.forward
        student.teacher.model.forward = lambda *a, **k: forward(*a, **k) * float('nan')
    part = flat_gradient(student, inputs[half], samples[half])
    distributed.all_reduce(part)
    torch.save(part / 2, folder / f'gradient{rank}.pt')  # DDP averages over the ranks
    if spoiled:
        for _ in range(MAX_DROPPED - 1):
            student.loss(inputs[half], samples[half])
        with pytest.raises(
            W2SError, match='NaN or infinity'
        ):  # both, or the other would wait for ever
            student.loss(inputs[half], samples[half])
        (folder / f'raised{rank}').touch()
    distributed.barrier()
    distributed.destroy_process_group()


def together(folder, *args) -> torch.Tensor:
    mp.start_processes(work, args=(folder, *args), nprocs=2, start_method='fork')
    both = [torch.load(folder / f'gradient{rank}.pt', weights_only=True) for rank in (0, 1)]
    assert torch.equal(*both)
    return both[0]


@pytest.fixture
def student(make_student):
    student = make_student().eval()  # no batch statistics
    student.prepare_teacher()
    return student


def test_two_processes_have_the_gradient_of_one(student, make_batch, tmp_path):
    inputs, samples = make_batch(student)
    student.set_distillation(1.0, 4.0)
    alone = flat_gradient(student, inputs, samples)
    found = together(tmp_path, student, inputs, samples, False)
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-6)


def test_nan_on_one_rank_drops_the_term_on_all_and_in_the_end_stops_all(
    student, make_batch, tmp_path
):
    inputs, samples = make_batch(student)
    student.set_distillation(0.0, 1.0)
    baseline = flat_gradient(student, inputs, samples)
    student.set_distillation(1.0, 4.0)
    assert (flat_gradient(student, inputs, samples) - baseline).abs().max() > 1e-3
    found = together(tmp_path, student, inputs, samples, True)
    torch.testing.assert_close(found, baseline, rtol=1e-4, atol=1e-6)
    assert all((tmp_path / f'raised{rank}').exists() for rank in (0, 1))
