"""Forward and reverse KL divergence by row, in float64."""

import pytest
import torch

from tests.losses.references import balanced_rows, kl_rows, randn
from w2s_mm.losses import BalancedKLDistillLoss
from w2s_mm.utils.errors import W2SError

FLAT, SHARP = torch.tensor([[0.5, 0.0, 0.0]]), torch.tensor([[0.0, 4.0, 0.0]])


@pytest.mark.parametrize('emphasis', [0.5, 0.75, 1.0])
def test_equals_the_definition_row_by_row(emphasis):
    pred, target = randn(0, (50, 4)), randn(1, (50, 4))
    found = BalancedKLDistillLoss(emphasis).rows(pred, target)
    expected = torch.from_numpy(balanced_rows(pred.numpy(), target.numpy(), emphasis))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(('pred', 'target', 'reverse'), [(FLAT, SHARP, True), (SHARP, FLAT, False)])
def test_reverse_counts_where_the_student_is_less_certain(pred, target, reverse):
    found = BalancedKLDistillLoss(1.0)(pred, target)
    pair = (target, pred) if reverse else (pred, target)
    assert found.item() == pytest.approx(kl_rows(*(s.numpy() for s in pair)).item(), rel=1e-5)


def test_half_is_the_mean_of_both():
    pred, target = randn(0), randn(1)
    sides = pred.numpy(), target.numpy()
    expected = (kl_rows(*sides) + kl_rows(*sides[::-1])).mean() / 2
    assert BalancedKLDistillLoss(0.5)(pred, target).item() == pytest.approx(expected, rel=1e-12)


def test_extreme_logits_stay_finite():
    pred = torch.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    loss = BalancedKLDistillLoss()(pred, -pred.detach())
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert pred.grad.isfinite().all()


@pytest.mark.parametrize('emphasis', [0.49, 1.01, float('nan'), '1'])
def test_an_emphasis_that_favours_the_other_divergence_is_refused(emphasis):
    with pytest.raises(W2SError, match=r'emphasis is .*at least 0\.5 and at most 1'):
        BalancedKLDistillLoss(emphasis)
