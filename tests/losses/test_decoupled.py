"""Decoupled distillation, in float64 where a number is compared."""

import pytest
import torch

from tests.losses.references import decoupled_rows, kl_rows, randn, softmax
from w2s_mm.losses import DecoupledDistillLoss, tempered
from w2s_mm.utils.errors import W2SError

LABELS = torch.tensor([0, 3, 2, 1, 1])


@pytest.mark.parametrize(('alpha', 'beta'), [(1, 8), (0.5, 0), (0, 2.5)])
def test_equals_the_two_divergences_of_probabilities(alpha, beta):
    pred, target = randn(0), randn(1)
    expected = decoupled_rows(pred.numpy(), target.numpy(), LABELS.tolist(), alpha, beta).mean()
    found = DecoupledDistillLoss(alpha, beta)(pred, target, labels=LABELS)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_parts_add_up_to_the_divergence_of_all_classes():
    """With the factor of the other classes that arXiv 2203.08679 finds in the plain loss."""
    pred, target = randn(0), randn(1)
    outside = 1 - torch.from_numpy(softmax(target.numpy())).gather(1, LABELS[:, None]).squeeze(1)
    of_label = DecoupledDistillLoss(1, 0)(pred, target, labels=LABELS)
    others = DecoupledDistillLoss(0, 1)(pred, target, outside, labels=LABELS)
    expected = kl_rows(pred.numpy(), target.numpy()).mean()
    assert (of_label + others).item() == pytest.approx(expected, rel=1e-12)


def test_gradient_of_each_part():
    """Label part: ``q_y - p_y`` at ``y``, spread over the others; other part: none at ``y``."""
    target, label = randn(1), LABELS[:, None]
    p = target.softmax(-1).gather(1, label)
    for alpha, beta in ((1, 0), (0, 1)):
        pred = randn(0).requires_grad_()
        DecoupledDistillLoss(alpha, beta)(pred, target, avg_factor=1.0, labels=LABELS).backward()
        q = pred.detach().softmax(-1)
        if alpha:
            inner = q / (1 - q.gather(1, label))
            expected = -(q.gather(1, label) - p) * inner
            expected.scatter_(1, label, q.gather(1, label) - p)
        else:
            away = [z.scatter(1, label, -torch.inf).softmax(-1) for z in (pred.detach(), target)]
            expected = away[0] - away[1]
        torch.testing.assert_close(pred.grad, expected)


def test_the_target_of_mixed_images_is_their_most_probable_class():
    pred, target, loss = randn(0), randn(1), DecoupledDistillLoss()
    mixed = 0.6 * torch.nn.functional.one_hot(LABELS, 4) + 0.4 * torch.eye(4)[[1, 0, 1, 0, 3]]
    assert torch.equal(loss(pred, target, labels=mixed), loss(pred, target, labels=LABELS))


def test_temperature_divides_both_sides():
    pred, target = randn(0), randn(1)
    found = tempered(DecoupledDistillLoss(1, 2), pred, target, 4.0, labels=LABELS)
    rows = decoupled_rows(pred.numpy() / 4, target.numpy() / 4, LABELS.tolist(), 1, 2)
    assert found.item() == pytest.approx(16 * rows.mean(), rel=1e-12)


def test_two_classes_have_no_others():
    pair = randn(0, (5, 2)), randn(1, (5, 2))
    labels = LABELS.clamp(max=1)
    assert DecoupledDistillLoss(0, 1)(*pair, labels=labels) == 0
    expected = kl_rows(*(side.numpy() for side in pair)).mean()
    found = DecoupledDistillLoss(1, 1)(*pair, labels=labels)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_extreme_logits_stay_finite():
    pred = torch.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    loss = DecoupledDistillLoss(1, 1)(pred, -pred.detach(), labels=torch.tensor([0]))
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert pred.grad.isfinite().all()


@pytest.mark.parametrize('name', ['alpha', 'beta', 'loss_weight'])
@pytest.mark.parametrize('value', [-1, float('nan'), '1'])
def test_a_factor_that_is_no_number_of_at_least_0_is_refused(name, value):
    with pytest.raises(W2SError, match=f'{name} is .*of at least 0'):
        DecoupledDistillLoss(**{name: value})
