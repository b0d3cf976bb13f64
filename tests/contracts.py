"""Contracts 1 to 3 of the design, written once; each task's tests call them for its students."""

import torch

from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.utils.rng import rng_state


def flat(losses):
    """Losses as tensors; MMDetection gives some as one a level."""
    return {
        name: torch.stack(value) if isinstance(value, list) else value
        for name, value in losses.items()
    }


def step(model, batch, seed=3):
    """Losses, gradients, buffers and generator state after one forward and backward pass."""
    torch.manual_seed(seed)
    losses = model.loss(*batch)
    model.parse_losses(losses)[0].backward()
    return {
        **{f'loss {name}': value.detach() for name, value in flat(losses).items()},
        **{f'grad {name}': p.grad for name, p in model.named_parameters() if p.grad is not None},
        **{f'buffer {name}': b for name, b in model.named_buffers()},
        'rng torch': rng_state()['torch'],
        'rng numpy': rng_state()['numpy'][1],
    }


def assert_bitwise(left, right):
    """Two dicts of tensors are equal, bit by bit."""
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def assert_baseline_at_weight_zero(student, plain, batch, monkeypatch):
    """Contract 1: with weight 0 a step is the plain model's, and the teacher is not built."""
    with monkeypatch.context() as patch:
        patch.setattr(FrozenTeacher, 'load', _refuse)
        student.set_distillation(0.0, 2.0)
        assert_bitwise(student.state_dict(), plain.state_dict())
        assert_bitwise(step(student, batch), step(plain, batch))


def assert_own_part_unchanged(student, plain, batch):
    """While distilling, own losses, buffers and generators are the plain model's.

    Returns:
        Names of the distillation terms.
    """
    student.set_distillation(1.0, 2.0)
    expected, found = step(plain, batch), step(student, batch)
    kept = [name for name in expected if not name.startswith('grad ')]
    assert_bitwise({name: found[name] for name in kept}, {name: expected[name] for name in kept})
    terms = found.keys() - expected.keys()
    assert all(name.startswith('loss loss_distill_') for name in terms)
    return {name.removeprefix('loss loss_distill_') for name in terms}


def assert_checkpoints_fit_both_ways(student, plain):
    """Contract 2: names and order are the plain model's, and each loads the other strictly."""
    student.prepare_teacher()
    assert list(student.state_dict()) == list(plain.state_dict())
    assert [n for n, _ in student.named_parameters()] == [n for n, _ in plain.named_parameters()]
    plain.load_state_dict(student.state_dict(), strict=True)
    student.load_state_dict(plain.state_dict(), strict=True)


def assert_teacher_untouched(student, batches):
    """Contract 3: after a step on each batch the teacher is as it was, and outside the student."""
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    teacher = student.teacher.model
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-3, momentum=0.9)
    for batch in batches:
        optimizer.zero_grad()
        student.parse_losses(student.loss(*batch))[0].backward()
        optimizer.step()
    student.train()
    assert_bitwise(teacher.state_dict(), before)
    assert not any(module.training for module in teacher.modules())
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert not set(map(id, student.modules())) & set(map(id, teacher.modules()))
    student.end_distillation()
    assert student.teacher.released
    student.loss(*batches[0])  # and is not asked again: it would have to be loaded


def _refuse(self):
    raise AssertionError('the teacher was built')
