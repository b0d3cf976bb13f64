"""The learned temperature, in float64 where a number is compared."""

import itertools
import math

import pytest
import torch

from tests.losses.references import kl_rows, randn, sigmoid
from w2s_mm.losses import CurriculumTemperatureLoss, KLDistillLoss, tempered
from w2s_mm.utils.errors import W2SError


def make(**arguments):
    return CurriculumTemperatureLoss(**arguments).double()


def written_out(pred, target, theta, low=1.0, high=21.0):
    T = low + (high - low) * sigmoid(theta)
    return T**2 * kl_rows(pred.numpy() / T, target.numpy() / T).mean()


@pytest.mark.parametrize(('low', 'high'), [(1.0, 21.0), (0.5, 2.0)])
@pytest.mark.parametrize('theta', [1.0, -0.7])
def test_equals_the_loss_at_the_learned_temperature(low, high, theta):
    pred, target, loss = randn(0), randn(1), make(low=low, high=high)
    loss.theta.data.fill_(theta)
    expected = written_out(pred, target, theta, low, high)
    for T in (1.0, 4.0):  # of the schedule
        assert tempered(loss, pred, target, T).item() == pytest.approx(expected, rel=1e-12)


def test_begins_at_one():
    assert CurriculumTemperatureLoss().theta == 1


@pytest.mark.parametrize('calls', [0, 3, 10, 25])
def test_theta_has_the_reversed_gradient_times_the_strength_so_far(calls):
    pred, target, loss = randn(0), randn(1), make(curriculum=10, strength=3.0)
    loss.theta.data.fill_(-1.0)
    for _ in range(calls):
        loss(pred, target)
    assert loss.calls == calls
    loss(pred, target).backward()
    step = 1e-6
    slope = (written_out(pred, target, step - 1) - written_out(pred, target, -step - 1)) / (
        2 * step
    )
    assert abs(slope) > 0.1
    strength = 3.0 * (1 - math.cos(math.pi * min(calls / 10, 1))) / 2
    assert loss.theta.grad.item() == pytest.approx(-strength * slope, rel=1e-6)


def test_the_student_has_the_gradient_at_that_temperature():
    target, loss = randn(1), make(curriculum=1)
    loss(randn(0), target)
    gradients = []
    T = 1 + 20 * sigmoid(1.0)
    for each in (loss, lambda s, t: tempered(KLDistillLoss(), s, t, T)):
        pred = randn(0).requires_grad_()
        each(pred, target).backward()
        gradients.append(pred.grad)
    torch.testing.assert_close(*gradients)


def test_a_step_on_theta_increases_the_loss():
    pred, target, loss = randn(0), randn(1), make(curriculum=1)
    loss.theta.data.fill_(-1.0)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
    values = []
    for _ in range(6):
        optimizer.zero_grad()
        value = loss(pred, target)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[0] == values[1]  # the first step had no strength
    assert all(later > earlier for earlier, later in itertools.pairwise(values[1:]))


def test_calls_without_gradients_are_not_counted():
    loss = make()
    with torch.no_grad():
        loss(randn(0), randn(1))
    assert loss.calls == 0


def test_parameter_and_calls_are_its_state():
    first, second = make(curriculum=10), make(curriculum=10)
    first.theta.data.fill_(0.3)
    for _ in range(4):
        first(randn(0), randn(1))
    second.load_state_dict(first.state_dict())
    gradients = []
    for loss in (first, second):
        loss(randn(0), randn(1)).backward()
        gradients.append(loss.theta.grad)
    assert torch.equal(*gradients) and gradients[0] != 0


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    pred, target, loss = randn(0).to(dtype), randn(1).to(dtype), CurriculumTemperatureLoss()
    found = loss(pred, target)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(pred.float(), target.float()))


def test_no_rows_give_zero_and_gradients_of_zero():
    loss = CurriculumTemperatureLoss(curriculum=1)
    pred = torch.randn(7, 4, requires_grad=True)
    nobody = torch.zeros(7, dtype=torch.bool)
    for _ in range(2):
        value = loss(pred[nobody], torch.randn(7, 4)[nobody])
        value.backward()
        assert value.item() == 0
    assert torch.equal(pred.grad, torch.zeros_like(pred))
    assert loss.theta.grad == 0


def test_around_standardised_logits():
    loss = make(loss={'type': 'StandardizedDistillLoss'})
    expected = loss(randn(0), randn(1))
    torch.testing.assert_close(loss(3 * randn(0) + 1, randn(1)), expected)


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        ({'low': 0}, r'low is 0; .*above 0'),
        ({'low': 4, 'high': 4}, r'high is 4; .*above 4\. The lowest is low'),
        ({'curriculum': 0}, 'curriculum is 0'),
        ({'curriculum': 0.5}, 'curriculum is 0.5; expected a whole number'),
        ({'strength': 0}, 'strength is 0'),
        ({'loss': 'KLDistillLoss'}, 'loss of CurriculumTemperatureLoss'),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, match):
    with pytest.raises(W2SError, match=match):
        CurriculumTemperatureLoss(**arguments)
