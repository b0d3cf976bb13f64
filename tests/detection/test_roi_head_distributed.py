"""The RoI terms over two processes against one on the same global batch (gloo, CPU)."""

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
    parameters = student.parameters()
    return torch.cat([(p.grad if p.grad is not None else 0 * p).flatten() for p in parameters])


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


def over_two(folder, student, inputs, samples) -> torch.Tensor:
    mp.start_processes(work, args=(folder, student, inputs, samples), nprocs=2, start_method='fork')
    return torch.load(folder / 'gradient.pt', weights_only=True)


@pytest.fixture
def make_settled(detector, make_rcnn_student, save_teacher, make_batch):
    """``make_settled(family, box, normalizer)``: a student that samples all proposals, a batch."""

    def settled(family, box, normalizer='confident'):
        config = detector(family)
        stages = config['train_cfg']['rcnn']
        for stage in stages if isinstance(stages, list) else [stages]:
            stage['sampler']['num'] = 10_000  # so that no random number chooses
        student = make_rcnn_student(
            config, save_teacher(config), box=box, rpn=True, normalizer=normalizer
        ).eval()
        student.prepare_teacher()
        student.set_distillation(1.0, 2.0)
        return student, *make_batch(student)

    return settled


@pytest.mark.slow
@pytest.mark.parametrize(
    ('family', 'box', 'normalizer'),
    [
        ('FasterRCNN', 'l1', 'confident'),
        ('FasterRCNN', 'giou', 'confident'),
        ('FasterRCNN', 'l1', 'sampled'),
        ('CascadeRCNN', 'l1', 'confident'),
        ('CascadeRCNN', 'giou', 'confident'),
    ],
)
def test_two_processes_have_the_gradient_of_one(make_settled, tmp_path, family, box, normalizer):
    student, inputs, samples = make_settled(family, box, normalizer)
    counts = []
    hook = student.distill_heads[0].loss_cls.register_forward_pre_hook(
        lambda _, args: counts.append(len(args[0]))
    )
    for image in range(2):
        student.loss(inputs[image : image + 1], samples[image : image + 1])
    hook.remove()
    halves = counts[: len(counts) // 2], counts[len(counts) // 2 :]
    assert halves[0] != halves[1]  # a normaliser that is not averaged would show
    together = over_two(tmp_path, student, inputs, samples)
    alone = gradient(student, inputs, samples)
    assert alone.abs().max() > 0
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_a_rank_that_ran_fewer_stages_waits_for_nobody(make_settled, tmp_path, monkeypatch):
    """One image has no proposals and no objects: its rank stops after the first stage."""
    student, inputs, samples = make_settled('CascadeRCNN', 'l1')
    samples[1].gt_instances = samples[1].gt_instances[:0]
    predict = student.rpn_head.predict_by_feat

    def predict_less(*args, batch_img_metas, **kwargs):
        proposals = predict(*args, batch_img_metas=batch_img_metas, **kwargs)
        ids = [meta['img_id'] for meta in batch_img_metas]
        return [p[:0] if i == 1 else p for i, p in zip(ids, proposals, strict=True)]

    monkeypatch.setattr(student.rpn_head, 'predict_by_feat', predict_less)
    together = over_two(tmp_path, student, inputs, samples)
    alone = gradient(student, inputs, samples)
    assert alone.abs().max() > 0
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-6)
