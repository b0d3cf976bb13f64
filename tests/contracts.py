"""Contracts 1 to 3 of the design, written once; every task's tests inherit them."""

import numpy as np
import pytest
import torch

from w2s_mm.core.compiled import compile_parts
from w2s_mm.core.student import DISTILL_PREFIX, HEADS
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.rng import rng_state


def flat(losses):
    """Losses as tensors; MMDetection gives some as one a level."""
    return {
        name: torch.stack(value) if isinstance(value, list) else value
        for name, value in losses.items()
    }


def step(model, batch, seed=3):
    """Losses, gradients, buffers and generator state after one forward and backward pass.

    Those of adapters are left out.
    """
    torch.manual_seed(seed)
    np.random.seed(seed)  # Mixup and CutMix draw from both
    losses = model.loss(*batch)
    model.parse_losses(losses)[0].backward()
    tensors = {
        **{f'loss {name}': value.detach() for name, value in flat(losses).items()},
        **{f'grad {name}': p.grad for name, p in model.named_parameters() if p.grad is not None},
        **{f'buffer {name}': b for name, b in model.named_buffers()},
        'rng torch': rng_state()['torch'],
        'rng numpy': rng_state()['numpy'][1],
    }
    return {name: tensor for name, tensor in tensors.items() if HEADS not in name}


def assert_bitwise(left, right):
    """Two dicts of tensors are equal, bit by bit."""
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


# Largest relative error of a term, and of the gradient of all terms as one vector, under automatic
# mixed precision. With the statistics of batch norm fixed: those of a batch of tiny maps amplify
# the rounding of the whole network.
AMP_BOUNDS = {torch.bfloat16: (0.02, 0.1), torch.float16: (0.01, 0.03)}
LOSS_SCALE = 1024.0  # float16 needs one: smaller gradients are rounded to 0


def distillation(student, batch, dtype=None):
    """The distillation terms by name, and their gradient as one vector; ``dtype`` for autocast."""
    student.set_distillation(1.0, 2.0)
    torch.manual_seed(3)
    np.random.seed(3)
    with torch.autocast('cpu', dtype=dtype, enabled=dtype is not None):
        losses = student.loss(*batch)
    terms = {k: v for k, v in losses.items() if k.startswith(DISTILL_PREFIX)}
    parameters = [p for p in student.parameters() if p.requires_grad]
    parts = torch.autograd.grad(
        LOSS_SCALE * sum(terms.values()), parameters, allow_unused=True, materialize_grads=True
    )
    return terms, torch.cat([part.flatten().float() for part in parts]) / LOSS_SCALE


def assert_amp_is_near_float32(student, batch, dtype):
    """Distillation terms and their gradient under autocast are within :data:`AMP_BOUNDS`."""
    student.eval()
    exact, expected = distillation(student, batch)
    rough, found = distillation(student, batch, dtype)
    of_term, of_gradient = AMP_BOUNDS[dtype]
    for name, value in exact.items():
        assert value > 0 and rough[name].dtype == torch.float32, name
        torch.testing.assert_close(rough[name], value, rtol=of_term, atol=0, msg=name)
    assert (found - expected).norm() <= of_gradient * expected.norm()


class StudentContracts:
    """The contracts as tests; a room's class inherits them and has a fixture ``twins``.

    ``twins`` gives a student in training mode, the plain model built with the same random numbers,
    and a batch as ``loss`` takes it.

    Attributes:
        TERMS: Names of the student's distillation terms.
    """

    TERMS: frozenset[str] = frozenset()

    def terms(self, student):
        """Names of the student's distillation terms."""
        return self.TERMS

    def test_built_with_the_plain_models_random_numbers(self, twins):
        student, plain, _ = twins
        assert_bitwise(student.state_dict(), plain.state_dict())

    @pytest.mark.parametrize(('gamma', 'weight'), [(1.0, 0.0), (0.0, 3.0)])
    def test_weight_zero_is_bitwise_the_plain_model(self, twins, monkeypatch, gamma, weight):
        """Contract 1: and the teacher is not built."""
        student, plain, batch = twins
        monkeypatch.setattr(FrozenTeacher, 'load', _refuse)
        student.gamma = gamma
        student.set_distillation(weight, 2.0)
        assert not student.distilling
        assert_bitwise(step(student, batch), step(plain, batch))

    def test_own_losses_buffers_and_rng_stay_bitwise_while_distilling(self, twins):
        student, plain, batch = twins
        student.set_distillation(1.0, 2.0)
        expected, found = step(plain, batch), step(student, batch)
        kept = [name for name in expected if not name.startswith('grad ')]
        assert_bitwise(*({name: side[name] for name in kept} for side in (found, expected)))
        new = {name for name in found.keys() - expected.keys() if not name.startswith('grad ')}
        assert new == {f'loss loss_distill_{term}' for term in self.terms(student)}
        assert any(not torch.equal(found[n], expected[n]) for n in expected.keys() - set(kept))

    @pytest.mark.slow
    def test_compiled_parts_record_and_learn_the_same(self, twins):
        student, _, batch = twins
        student.set_distillation(1.0, 2.0)
        before = {name: value.clone() for name, value in student.named_buffers()}
        expected = step(student, batch)
        student.zero_grad()
        for name, value in student.named_buffers():
            value.copy_(before[name])
        torch._dynamo.reset()
        taps = [tap for head in student.distill_heads for tap in head.taps(student)]
        names = list(student.state_dict())
        assert compile_parts(student, taps, backend='eager')
        found = step(student, batch)
        assert list(student.state_dict()) == names
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)

    def test_checkpoints_load_strictly_both_ways(self, twins):
        """Contract 2: names and order are the plain model's."""
        student, plain, _ = twins
        student.prepare_teacher()
        assert list(student.state_dict()) == list(plain.state_dict())
        plain.load_state_dict(student.state_dict(), strict=True)
        student.load_state_dict(plain.state_dict(), strict=True)

    def test_teacher_stays_frozen_outside_and_is_gone_at_the_end(self, twins):
        """Contract 3."""
        student, plain, batch = twins
        student.prepare_teacher()
        student.set_distillation(1.0, 2.0)
        teacher = student.teacher.model
        before = {name: value.clone() for name, value in teacher.state_dict().items()}
        optimizer = torch.optim.SGD(student.parameters(), lr=1e-3, momentum=0.9)
        student.parse_losses(student.loss(*batch))[0].backward()
        optimizer.step()
        student.train()
        assert_bitwise(teacher.state_dict(), before)
        assert not any(module.training for module in teacher.modules())
        assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
        assert not set(map(id, student.modules())) & set(map(id, teacher.modules()))
        student.end_distillation()
        assert student.teacher.released
        parameters = [name for name, _ in student.named_parameters()]
        assert parameters == [name for name, _ in plain.named_parameters()]
        student.set_distillation(1.0, 2.0)  # has nothing to act on any more
        student.loss(*batch)
        with pytest.raises(W2SError, match='released'):
            student.teacher.load()


def _refuse(self):
    raise AssertionError('the teacher was built')
