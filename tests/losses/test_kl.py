"""KL divergence of softmax outputs, in float64 where a number is compared."""

import pytest
import torch
import torch.nn.functional as F

from tests.losses.references import kl_rows, randn
from w2s_mm.losses import KLDistillLoss, softmax_kl

BOTH = pytest.mark.parametrize('reverse', [False, True])


@BOTH
def test_equals_the_definition_row_by_row(reverse):
    pred, target = randn(0), randn(1)
    pair = (target, pred) if reverse else (pred, target)
    expected = torch.from_numpy(kl_rows(*(side.numpy() for side in pair)))
    found = softmax_kl(pred, target, reverse)
    assert found.shape == (5,)
    torch.testing.assert_close(found, expected)


def test_equals_torchs_kl_div_of_probabilities():
    pred, target = randn(0), randn(1)
    expected = F.kl_div(pred.softmax(-1).log(), target.softmax(-1), reduction='batchmean')
    torch.testing.assert_close(KLDistillLoss()(pred, target), expected)


@BOTH
def test_a_constant_added_to_a_row_changes_nothing(reverse):
    pred, target, shift = randn(0), randn(1), randn(2, size=(5, 1), scale=10.0)
    expected = softmax_kl(pred, target, reverse)
    torch.testing.assert_close(softmax_kl(pred + shift, target, reverse), expected)
    torch.testing.assert_close(softmax_kl(pred, target + shift, reverse), expected)
    same = softmax_kl(target + shift, target, reverse)
    torch.testing.assert_close(same, torch.zeros_like(same), rtol=0, atol=1e-12)


@BOTH
def test_classes_may_change_places(reverse):
    pred, target, order = randn(0), randn(1), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        softmax_kl(pred[:, order], target[:, order], reverse), softmax_kl(pred, target, reverse)
    )


def test_gradient_is_the_difference_of_the_probabilities():
    pred, target = randn(0).requires_grad_(), randn(1)
    rows = torch.arange(1.0, 6.0, dtype=torch.float64)  # each row its own factor
    (rows * softmax_kl(pred, target)).sum().backward()
    difference = pred.detach().softmax(-1) - target.softmax(-1)
    torch.testing.assert_close(pred.grad, rows[:, None] * difference)


def test_gradient_of_the_reverse_is_centred_on_the_divergence():
    """With q of the student and p of the teacher: q_i * (log(q_i / p_i) - KL(q || p))."""
    pred, target = randn(0).requires_grad_(), randn(1)
    rows = softmax_kl(pred, target, reverse=True)
    rows.sum().backward()
    q, p = pred.detach().softmax(-1), target.softmax(-1)
    torch.testing.assert_close(pred.grad, q * ((q / p).log() - rows.detach()[:, None]))


def test_reverse_is_the_other_direction():
    pred, target = randn(0), randn(1)
    reverse = softmax_kl(pred, target, reverse=True)
    torch.testing.assert_close(reverse, softmax_kl(target, pred))
    assert ((reverse - softmax_kl(pred, target)).abs() > 1e-3).any()


@BOTH
def test_extreme_logits_stay_finite(reverse):
    pred = torch.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    loss = softmax_kl(pred, torch.tensor([[-1e4, 0.0, 1e4]]), reverse)
    loss.sum().backward()
    assert loss.item() == pytest.approx(2e4)
    assert pred.grad.isfinite().all()
