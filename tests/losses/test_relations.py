"""Correlations of class probabilities, in float64 where a number is compared."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from tests.losses.references import randn, relation_rows
from w2s_mm.losses import RelationDistillLoss, tempered
from w2s_mm.utils.errors import W2SError

FACTORS = pytest.mark.parametrize(('beta', 'gamma'), [(1, 0), (0, 1), (2.0, 0.5)])
WEIGHT = torch.tensor([0.0, 1.0, 0.5, 2.0, 3.0], dtype=torch.float64)


@FACTORS
@pytest.mark.parametrize('weight', [None, WEIGHT], ids=['unweighted', 'weighted'])
@pytest.mark.parametrize('n', [None, 3.0])
def test_equals_numpys_correlation(beta, gamma, weight, n):
    pred, target = randn(0), randn(1)
    rows = relation_rows(pred.numpy(), target.numpy(), beta, gamma)
    expected = 1.5 * (rows * (1 if weight is None else weight.numpy())).sum() / (n or 5)
    found = RelationDistillLoss(beta, gamma, loss_weight=1.5)(pred, target, weight, n)
    assert found.item() == pytest.approx(expected, rel=1e-12)


@FACTORS
def test_gradcheck(beta, gamma):
    loss = RelationDistillLoss(beta, gamma)
    pair = randn(0).requires_grad_(), randn(1).requires_grad_()
    assert gradcheck(lambda s, t: loss(s, t, WEIGHT, 2.0), pair)


@FACTORS
def test_zero_value_and_gradient_at_equality(beta, gamma):
    target, loss = randn(1), RelationDistillLoss(beta, gamma)
    pred = target.clone().requires_grad_()
    value = loss(pred, target)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(pred.grad, torch.zeros_like(pred), rtol=0, atol=1e-12)
    assert loss(target + randn(2, scale=0.1), target) > 0


@FACTORS
def test_rows_and_classes_may_change_places(beta, gamma):
    pred, target, loss = randn(0), randn(1), RelationDistillLoss(beta, gamma)
    rows, classes = torch.tensor([3, 0, 4, 1, 2]), torch.tensor([2, 0, 3, 1])
    expected = loss(pred, target)
    torch.testing.assert_close(loss(pred[rows], target[rows]), expected)
    torch.testing.assert_close(loss(pred[:, classes], target[:, classes]), expected)


def test_probabilities_in_the_same_proportion_agree():
    """Halfway to the uniform distribution: a divergence is not 0, a correlation of 1 is."""
    target = randn(1).log_softmax(-1)
    nearer = (0.5 * target.exp() + 0.5 / 4).log()
    loss = RelationDistillLoss()(nearer, target)
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert tempered(RelationDistillLoss(), nearer, target, 1.0) == loss


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    pred, target, loss = randn(0).to(dtype), randn(1).to(dtype), RelationDistillLoss()
    found = loss(pred, target)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(pred.float(), target.float()))


@pytest.mark.parametrize('n', [None, 1.0])
def test_no_rows_give_zero_and_a_gradient_of_zero(n):
    pred = torch.randn(7, 4, requires_grad=True)
    nobody = torch.zeros(7, dtype=torch.bool)
    loss = RelationDistillLoss()(pred[nobody], torch.randn(7, 4)[nobody], avg_factor=n)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(pred.grad, torch.zeros_like(pred))


def test_one_row_has_no_correlation_with_others():
    pred, target = randn(0, (1, 4)).requires_grad_(), randn(1, (1, 4))
    loss = RelationDistillLoss(beta=0)(pred, target)
    loss.backward()
    assert loss.item() == 1
    assert torch.equal(pred.grad, torch.zeros_like(pred))


def test_a_teacher_that_says_the_same_of_all_gives_no_gradient():
    pred = torch.randn(5, 4, requires_grad=True)
    RelationDistillLoss()(pred, torch.full((5, 4), -30.0)).backward()
    assert pred.grad.abs().max() < 1e-5


def test_extreme_logits_stay_finite():
    pred = torch.tensor([[1e4, -1e4, 0.0], [0.0, 1e4, -1e4]], requires_grad=True)
    loss = RelationDistillLoss()(pred, -pred.detach())
    loss.backward()
    assert np.isfinite(loss.item()) and pred.grad.isfinite().all()


@pytest.mark.parametrize('name', ['beta', 'gamma', 'loss_weight'])
@pytest.mark.parametrize('value', [-1, float('nan'), '1'])
def test_a_factor_that_is_no_number_of_at_least_0_is_refused(name, value):
    with pytest.raises(W2SError, match=f'{name} is .*of at least 0'):
        RelationDistillLoss(**{name: value})
