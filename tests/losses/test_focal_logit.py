"""Soft-target focal loss, in float64 where a number is compared."""

import numpy as np
import pytest
import torch

from tests.losses.references import focal_rows, randn, sigmoid
from w2s_mm.losses import FocalLogitDistillLoss
from w2s_mm.utils.errors import W2SError

EACH = pytest.mark.parametrize('focal', [0.0, 1.0, 2.0, 3.5])


def gradient(pred, target, focal):
    """d/ds of one row's sum: with q' = q(1-q), d bce/ds = q-p."""
    q, p = sigmoid(pred), sigmoid(target)
    bce = -(p * np.log(q) + (1 - p) * np.log(1 - q))
    away = np.abs(q - p)
    slope = focal * away ** (focal - 1) * np.sign(q - p) if focal else 0.0
    return slope * q * (1 - q) * bce + away**focal * (q - p)


@EACH
def test_value_and_gradient_equal_the_closed_forms(focal):
    pred, target = randn(0).requires_grad_(), randn(1)
    loss = FocalLogitDistillLoss(focal)(pred, target, avg_factor=3.0)
    loss.backward()
    pair = pred.detach().numpy(), target.numpy()
    assert loss.item() == pytest.approx(focal_rows(*pair, focal).sum() / 3, rel=1e-12)
    expected = torch.from_numpy(gradient(*pair, focal) / 3)
    torch.testing.assert_close(pred.grad, expected, rtol=1e-10, atol=0)


@EACH
def test_yes_and_no_may_change_places(focal):
    pred, target, loss = randn(0), randn(1), FocalLogitDistillLoss(focal)
    torch.testing.assert_close(loss(-pred, -target), loss(pred, target))


@EACH
def test_classes_add_up(focal):
    pred, target, loss = randn(0), randn(1), FocalLogitDistillLoss(focal)
    apart = sum(loss(pred[:, c : c + 1], target[:, c : c + 1]) for c in range(4))
    torch.testing.assert_close(loss(pred, target), apart)


def test_focal_zero_is_soft_bce_above_its_floor():
    pred, target = randn(0), randn(1)
    bce, p = torch.nn.functional.binary_cross_entropy, target.sigmoid()
    expected = bce(pred.sigmoid(), p, reduction='sum') - bce(p, p, reduction='sum')
    torch.testing.assert_close(FocalLogitDistillLoss(0)(pred, target, avg_factor=1.0), expected)


def test_where_the_teacher_is_certain_it_is_the_focal_loss_of_its_answer():
    """With p = 1: (1 - q)^gamma * -log q, as in arXiv 1708.02002."""
    pred, certain = randn(0), torch.full((5, 4), 100.0, dtype=torch.float64)
    q = pred.sigmoid()
    expected = ((1 - q) ** 2 * -q.log()).sum(-1).mean()
    torch.testing.assert_close(FocalLogitDistillLoss(2)(pred, certain), expected)


@EACH
def test_extreme_logits_stay_finite(focal):
    pred = torch.tensor([[1e4, -1e4, 1e4]], requires_grad=True)
    loss = FocalLogitDistillLoss(focal)(pred, torch.tensor([[-1e4, 1e4, 1e4]]))
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert pred.grad.isfinite().all()


@pytest.mark.parametrize('focal', [0.5, -1, float('nan')])
def test_an_exponent_whose_gradient_is_infinite_at_equality_is_refused(focal):
    with pytest.raises(W2SError, match=f'focal is {focal}'):
        FocalLogitDistillLoss(focal)
