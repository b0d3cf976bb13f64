"""Mean squared distance, in float64."""

import pytest
import torch

from tests.losses.references import randn
from w2s_mm.losses import SquaredErrorDistillLoss

IMAGES = (5, 3, 4, 2)


def test_equals_torchs_mse_loss_on_images():
    pred, target = randn(0, IMAGES), randn(1, IMAGES)
    expected = torch.nn.functional.mse_loss(pred, target)
    torch.testing.assert_close(SquaredErrorDistillLoss()(pred, target), expected)


def test_gradient_is_twice_the_difference_over_all_elements():
    pred, target = randn(0, IMAGES).requires_grad_(), randn(1, IMAGES)
    weight = torch.arange(1.0, 6.0, dtype=torch.float64)
    SquaredErrorDistillLoss()(pred, target, weight, 3.0).backward()
    expected = 2 * (pred.detach() - target) / (3 * 4 * 2) * weight.view(5, 1, 1, 1) / 3
    torch.testing.assert_close(pred.grad, expected)


def test_a_shift_of_both_sides_changes_nothing():
    pred, target, loss = randn(0, IMAGES), randn(1, IMAGES), SquaredErrorDistillLoss()
    torch.testing.assert_close(loss(pred + 7, target + 7), loss(pred, target))
    torch.testing.assert_close(loss(3 * pred, 3 * target), 9 * loss(pred, target))
    assert loss(target, pred) == pytest.approx(loss(pred, target).item())
