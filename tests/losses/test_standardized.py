"""Standardised logits, in float64 where a number is compared."""

import pytest
import torch
from torch.autograd import gradcheck

from tests.losses import references
from tests.losses.references import decoupled_rows, kl_rows, randn
from w2s_mm.losses import StandardizedDistillLoss, standardized, tempered
from w2s_mm.utils.errors import W2SError

EACH = pytest.mark.parametrize('T', [0.5, 1.0, 2.0, 6.0])
LABELS = torch.tensor([0, 3, 2, 1, 1])


def test_rows_have_mean_0_and_deviation_1():
    found = standardized(randn(0, scale=7.0) + 3)
    torch.testing.assert_close(found.mean(-1), torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(found.square().mean(-1), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(
        standardized(randn(0)), torch.from_numpy(references.standardized(randn(0).numpy()))
    )


@EACH
def test_equals_the_definition(T):
    pred, target = randn(0), randn(1)
    sides = [references.standardized(side.numpy()) / T for side in (pred, target)]
    expected = T**2 * (torch.arange(5.0).numpy() * kl_rows(*sides)).sum() / 3
    weight = torch.arange(5.0, dtype=torch.float64)
    found = tempered(StandardizedDistillLoss(), pred, target, T, weight=weight, avg_factor=3.0)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_labels_reach_the_loss_inside():
    pred, target = randn(0), randn(1)
    loss = StandardizedDistillLoss({'type': 'DecoupledDistillLoss', 'beta': 2.0})
    sides = [references.standardized(side.numpy()) for side in (pred, target)]
    expected = decoupled_rows(*sides, LABELS.tolist(), 1.0, 2.0).mean()
    assert loss(pred, target, labels=LABELS).item() == pytest.approx(expected, rel=1e-12)


@EACH
def test_shift_and_scale_of_a_side_change_nothing(T):
    pred, target, loss = randn(0), randn(1), StandardizedDistillLoss()
    expected = tempered(loss, pred, target, T)
    torch.testing.assert_close(tempered(loss, 3 * pred + 5, target, T), expected)
    torch.testing.assert_close(tempered(loss, pred, 0.1 * target - 2, T), expected)


@EACH
def test_gradcheck(T):
    target, loss = randn(1), StandardizedDistillLoss()
    assert gradcheck(lambda s: tempered(loss, s, target, T), randn(0).requires_grad_())


def test_gradient_changes_neither_shift_nor_scale():
    pred = randn(0).requires_grad_()
    StandardizedDistillLoss()(pred, randn(1)).backward()
    zero = torch.zeros(5, dtype=torch.float64)
    torch.testing.assert_close(pred.grad.sum(-1), zero)
    torch.testing.assert_close((pred.grad * pred.detach()).sum(-1), zero)


def test_equal_logits_give_a_small_gradient():
    """As of a layer that begins at zero; 1 / 1e-7 would end the training."""
    pred = torch.zeros(5, 4, requires_grad=True)
    loss = StandardizedDistillLoss()(pred, torch.randn(5, 4))
    loss.backward()
    assert loss.isfinite() and 0 < pred.grad.abs().max() < 1


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    pred, target, loss = randn(0).to(dtype), randn(1).to(dtype), StandardizedDistillLoss()
    found = loss(pred, target)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(pred.float(), target.float()))


@pytest.mark.parametrize('n', [None, 1.0])
def test_no_rows_give_zero_and_a_gradient_of_zero(n):
    pred = torch.randn(7, 4, requires_grad=True)
    nobody = torch.zeros(7, dtype=torch.bool)
    loss = StandardizedDistillLoss()(pred[nobody], torch.randn(7, 4)[nobody], avg_factor=n)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(pred.grad, torch.zeros_like(pred))


def test_sigmoid_scores_are_refused():
    with pytest.raises(W2SError, match='loss of StandardizedDistillLoss: FocalLogitDistillLoss'):
        StandardizedDistillLoss({'type': 'FocalLogitDistillLoss'})


@pytest.mark.parametrize(
    'loss', ['KLDistillLoss', {'type': 'Nope'}, {'type': 'KLDistillLoss', 'a': 1}]
)
def test_what_is_no_config_of_a_loss_is_refused(loss):
    with pytest.raises(W2SError, match='loss of StandardizedDistillLoss'):
        StandardizedDistillLoss(loss)
