"""T^2 l(s / T, t / T), equation (2), for the losses of this package and for any other."""

import numpy as np
import pytest
import torch

from tests.losses.references import focal_rows, kl_rows, randn
from w2s_mm.losses import FocalLogitDistillLoss, KLDistillLoss, tempered

EACH = pytest.mark.parametrize('T', [0.5, 1.0, 2.0, 6.0])
LOSSES = {
    'kl': (KLDistillLoss(), kl_rows),
    'focal': (FocalLogitDistillLoss(1.0), lambda s, t: focal_rows(s, t, 1.0)),
}


@EACH
@pytest.mark.parametrize('name', LOSSES)
def test_equals_the_definition(T, name):
    loss, reference = LOSSES[name]
    pred, target = randn(0), randn(1)
    weight = torch.arange(5.0, dtype=torch.float64)
    rows = reference(pred.numpy() / T, target.numpy() / T)
    expected = T**2 * (np.arange(5.0) * rows).sum() / 3
    found = tempered(loss, pred, target, T, weight=weight, avg_factor=3.0)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_temperature_one_is_the_loss_itself():
    pred, target, loss = randn(0), randn(1), KLDistillLoss()
    assert torch.equal(tempered(loss, pred, target, 1.0), loss(pred, target))


@EACH
def test_gradient_of_kl_is_t_times_the_difference_of_the_probabilities(T):
    pred, target = randn(0).requires_grad_(), randn(1)
    tempered(KLDistillLoss(), pred, target, T).backward()
    difference = (pred.detach() / T).softmax(-1) - (target / T).softmax(-1)
    torch.testing.assert_close(pred.grad, T * difference / 5)


def test_t_squared_keeps_the_size_of_the_gradient_as_t_grows():
    """Its limit is the difference of the centred logits over the number of classes."""
    pred, target = randn(0), randn(1)
    centred = [z - z.mean(-1, keepdim=True) for z in (pred, target)]
    limit = (centred[0] - centred[1]) / pred.shape[-1]
    away = []
    for T in (10.0, 100.0, 1000.0):
        leaf = pred.clone().requires_grad_()
        tempered(KLDistillLoss(), leaf, target, T, avg_factor=1.0).backward()
        away.append((leaf.grad - limit).abs().max().item())
    assert away[0] > 5 * away[1] > 25 * away[2]  # nearer with every factor of ten
    assert away[2] < 0.01 * limit.abs().max()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_logits_are_divided_in_float32(dtype):
    pred, target = randn(0).to(dtype), randn(1).to(dtype)
    exact = tempered(KLDistillLoss(), pred.float(), target.float(), 3.0)
    assert torch.equal(tempered(KLDistillLoss(), pred, target, 3.0), exact)


def test_target_takes_no_gradient_whatever_the_loss():
    pred, target = randn(0).requires_grad_(), randn(1).requires_grad_()
    tempered(lambda s, t: (s - t).sum(), pred, target, 2.0).backward()
    assert pred.grad.any() and target.grad is None


def test_what_else_the_loss_takes_is_passed_on_as_it_is():
    given = {}

    def loss(pred, target, **kwargs):
        given.update(kwargs)
        return pred.sum()

    labels = torch.tensor([0, 1, 2, 3, 0])
    tempered(loss, randn(0), randn(1), 4.0, labels=labels, avg_factor=2.0)
    assert given == {'labels': labels, 'avg_factor': 2.0}


def test_a_loss_may_apply_the_temperature_itself():
    class Own:
        def at_temperature(self, pred, target, temperature, **kwargs):
            return pred, target, temperature, kwargs

    pred, target = randn(0).half().requires_grad_(), randn(1).half().requires_grad_()
    ours, theirs, temperature, kwargs = tempered(Own(), pred, target, 4.0, avg_factor=2.0)
    assert torch.equal(ours, pred.float()) and ours.requires_grad
    assert torch.equal(theirs, target.float()) and not theirs.requires_grad
    assert (temperature, kwargs) == (4.0, {'avg_factor': 2.0})
