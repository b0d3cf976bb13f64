"""Cross-entropy with the teacher's class, in float64 where a number is compared."""

import pytest
import torch
from torch.autograd import gradcheck

from tests.losses.references import hard_label_rows, randn
from w2s_mm.losses import HardLabelDistillLoss, tempered
from w2s_mm.utils.errors import W2SError

WEIGHT = torch.tensor([0.0, 1.0, 0.5, 2.0, 3.0], dtype=torch.float64)


@pytest.mark.parametrize('weight', [None, WEIGHT], ids=['unweighted', 'weighted'])
@pytest.mark.parametrize('n', [None, 3.0])
def test_equals_the_reference(weight, n):
    pred, target = randn(0), randn(1)
    rows = hard_label_rows(pred.numpy(), target.numpy())
    expected = 1.5 * (rows * (1 if weight is None else weight.numpy())).sum() / (n or 5)
    found = HardLabelDistillLoss(loss_weight=1.5)(pred, target, weight, n)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_gradient_is_that_of_a_label():
    pred, target, loss = randn(0).requires_grad_(), randn(1), HardLabelDistillLoss()
    loss(pred, target, avg_factor=1.0).backward()
    label = torch.nn.functional.one_hot(target.argmax(-1), 4)
    torch.testing.assert_close(pred.grad, pred.detach().softmax(-1) - label)
    assert gradcheck(lambda s: loss(s, target, WEIGHT), randn(0).requires_grad_())


@pytest.mark.parametrize('T', [0.5, 4.0])
def test_temperature_has_no_effect(T):
    pred, target, loss = randn(0), randn(1), HardLabelDistillLoss()
    found = tempered(loss, pred, target, T, weight=WEIGHT, avg_factor=2.0)
    assert torch.equal(found, loss(pred, target, WEIGHT, 2.0))


def test_only_the_teachers_class_counts():
    pred, target, loss = randn(0), randn(1), HardLabelDistillLoss()
    assert torch.equal(loss(pred, 100 * target + 3), loss(pred, target))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    pred, target, loss = randn(0).to(dtype), randn(1).to(dtype), HardLabelDistillLoss()
    found = loss(pred, target)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(pred.float(), target.float()))


def test_no_rows_give_zero_and_a_gradient_of_zero():
    pred = torch.randn(7, 4, requires_grad=True)
    nobody = torch.zeros(7, dtype=torch.bool)
    loss = HardLabelDistillLoss()(pred[nobody], torch.randn(7, 4)[nobody])
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(pred.grad, torch.zeros_like(pred))


def test_extreme_logits_stay_finite():
    pred = torch.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    loss = HardLabelDistillLoss()(pred, -pred.detach())
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert pred.grad.isfinite().all()


def test_loss_weight_below_zero_is_refused():
    with pytest.raises(W2SError, match='loss_weight is -1'):
        HardLabelDistillLoss(loss_weight=-1)
