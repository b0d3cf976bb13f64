"""What all losses share: weights, ``avg_factor``, no rows, half precision, ``loss_weight``."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from tests.losses import references
from tests.losses.references import randn
from w2s_mm.losses import (
    BalancedKLDistillLoss,
    DecoupledDistillLoss,
    FocalLogitDistillLoss,
    KLDistillLoss,
    SquaredErrorDistillLoss,
    reduced,
)
from w2s_mm.utils.errors import W2SError


class OfOneClass(DecoupledDistillLoss):
    """Each row has the label 1."""

    def forward(self, pred, target, weight=None, avg_factor=None):
        labels = torch.ones(len(pred), dtype=torch.long)
        return super().forward(pred, target, weight, avg_factor, labels=labels)


KINDS = {
    'kl': (KLDistillLoss, {}, references.kl_rows),
    'reverse kl': (KLDistillLoss, {'reverse': True}, lambda s, t: references.kl_rows(t, s)),
    'balanced': (
        BalancedKLDistillLoss,
        {'emphasis': 0.8},
        lambda s, t: references.balanced_rows(s, t, 0.8),
    ),
    'decoupled': (
        OfOneClass,
        {'alpha': 1.5, 'beta': 3.0},
        lambda s, t: references.decoupled_rows(s, t, [1] * len(s), 1.5, 3.0),
    ),
    'focal': (FocalLogitDistillLoss, {}, lambda s, t: references.focal_rows(s, t, 2)),
    'bce': (FocalLogitDistillLoss, {'focal': 0}, lambda s, t: references.focal_rows(s, t, 0)),
    'squared': (SquaredErrorDistillLoss, {}, references.squared_rows),
}
EACH = pytest.mark.parametrize('kind', KINDS)
WEIGHT = torch.tensor([0.0, 1.0, 0.5, 2.0, 3.0], dtype=torch.float64)


def make(kind, **arguments):
    cls, fixed, _ = KINDS[kind]
    return cls(**fixed, **arguments)


@EACH
@pytest.mark.parametrize('weight', [None, WEIGHT], ids=['unweighted', 'weighted'])
@pytest.mark.parametrize('n', [None, 3.0, torch.tensor(3.0)], ids=['mean', 'number', 'tensor'])
def test_equals_the_reference(kind, weight, n):
    pred, target = randn(0), randn(1)
    rows = KINDS[kind][2](pred.numpy(), target.numpy())
    expected = 1.5 * (rows * (1 if weight is None else weight.numpy())).sum() / float(n or 5)
    found = make(kind, loss_weight=1.5)(pred, target, weight, n)
    assert found.shape == ()
    assert found.item() == pytest.approx(expected, rel=1e-12)


@EACH
def test_gradcheck(kind):
    loss, target = make(kind, loss_weight=1.5), randn(1)
    assert gradcheck(lambda s: loss(s, target, WEIGHT, 2.0), randn(0).requires_grad_())


@EACH
def test_zero_value_and_gradient_at_equality(kind):
    target = randn(1)
    pred = target.clone().requires_grad_()
    loss = make(kind)(pred, target)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(pred.grad, torch.zeros_like(pred), rtol=0, atol=1e-12)
    assert make(kind)(target + randn(2, scale=0.1), target) > 0


@EACH
def test_rows_may_change_places(kind):
    pred, target, order = randn(0), randn(1), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(
        make(kind)(pred[order], target[order], WEIGHT[order]), make(kind)(pred, target, WEIGHT)
    )


@EACH
def test_a_row_of_weight_zero_takes_no_part(kind):
    pred, target = randn(0).requires_grad_(), randn(1)
    loss = make(kind)(pred, target, WEIGHT, 1.0)
    loss.backward()
    assert not pred.grad[0].any() and pred.grad[1:].any(-1).all()
    torch.testing.assert_close(loss, make(kind)(pred[1:], target[1:], WEIGHT[1:], 1.0))


@EACH
@pytest.mark.parametrize('n', [None, 1.0])
def test_no_rows_give_zero_and_a_gradient_of_zero(kind, n):
    pred = torch.randn(7, 4, requires_grad=True)
    nobody = torch.zeros(7, dtype=torch.bool)
    loss = make(kind)(pred[nobody], torch.randn(7, 4)[nobody], avg_factor=n)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(pred.grad, torch.zeros_like(pred))


@EACH
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(kind, dtype):
    pred, target, weight = randn(0).to(dtype), randn(1).to(dtype), WEIGHT.to(dtype)
    loss = make(kind)(pred, target, weight, 3.0)
    assert loss.dtype == torch.float32
    exact = make(kind)(pred.float(), target.float(), weight.float(), 3.0)
    torch.testing.assert_close(loss, exact, rtol=0, atol=0)


@EACH
def test_gradcheck_of_the_target(kind):
    """A learned temperature divides both sides."""
    loss, pred = make(kind), randn(0)
    assert gradcheck(lambda t: loss(pred, t, WEIGHT, 2.0), randn(1).requires_grad_())


@EACH
def test_has_no_state(kind):
    assert not make(kind).state_dict()


@EACH
@pytest.mark.parametrize('weight', [0.0, 2.5])
def test_loss_weight_scales(kind, weight):
    pair = randn(0), randn(1)
    torch.testing.assert_close(make(kind, loss_weight=weight)(*pair), weight * make(kind)(*pair))


@EACH
@pytest.mark.parametrize('weight', [-0.5, math.nan])
def test_loss_weight_below_zero_is_refused(kind, weight):
    with pytest.raises(W2SError, match=f'loss_weight is {weight}'):
        make(kind, loss_weight=weight)


def test_reduced_is_a_mean_over_rows_unless_told():
    rows = torch.tensor([1.0, 2.0, 6.0])
    assert reduced(rows, None, None) == 3
    assert reduced(rows, torch.tensor([1.0, 0.0, 1.0]), None) == pytest.approx(7 / 3)
    assert reduced(rows, None, 2.0) == 4.5
    assert reduced(rows[:0], None, None) == 0
