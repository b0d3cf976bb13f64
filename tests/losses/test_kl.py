"""Equation (3), the temperature KL; in float64 where a number is compared."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from w2s_mm.losses.kl import full_precision, temperature_kl

TEMPERATURES = (0.5, 1.0, 2.0, 6.0)


def randn(seed, size=(5, 4), scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(size, generator=generator, dtype=torch.float64)


def softmax(row, T):
    powers = [math.exp(z / T) for z in row]
    return [power / sum(powers) for power in powers]


def kl(ours, theirs, T):
    """T^2 KL(theirs || ours) of one row, from the definition."""
    q, p = softmax(ours, T), softmax(theirs, T)
    return T**2 * sum(b * math.log(b / a) for a, b in zip(q, p, strict=True))


@pytest.mark.parametrize('T', TEMPERATURES)
def test_equals_the_definition_row_by_row(T):
    student, teacher = randn(0), randn(1)
    expected = [kl(s, t, T) for s, t in zip(student.tolist(), teacher.tolist(), strict=True)]
    found = temperature_kl(student, teacher, T)
    assert found.shape == (5,)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize('T', TEMPERATURES)
def test_equals_torchs_kl_div_of_probabilities(T):
    student, teacher = randn(0), randn(1)
    inputs, target = (student / T).softmax(-1).log(), (teacher / T).softmax(-1)
    expected = T**2 * F.kl_div(inputs, target, reduction='batchmean') * len(student)
    torch.testing.assert_close(temperature_kl(student, teacher, T).sum(), expected)


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('T', TEMPERATURES)
def test_zero_where_student_equals_teacher_up_to_a_constant(T, reverse):
    teacher = randn(1)
    shift = randn(2, size=(5, 1), scale=10.0)
    for student in (teacher.clone(), teacher + shift):
        student.requires_grad_()
        loss = temperature_kl(student, teacher, T, reverse)
        loss.sum().backward()
        torch.testing.assert_close(loss, torch.zeros_like(loss), rtol=0, atol=1e-12)
        torch.testing.assert_close(student.grad, torch.zeros_like(teacher), rtol=0, atol=1e-12)
    apart = temperature_kl(teacher + randn(3, scale=0.1), teacher, T, reverse)
    assert (apart > 0).all()


@pytest.mark.parametrize('T', TEMPERATURES)
def test_gradient_is_t_times_the_difference_of_the_probabilities(T):
    student, teacher = randn(0).requires_grad_(), randn(1)
    rows = torch.arange(1.0, 6.0, dtype=torch.float64)  # each row its own factor
    (rows * temperature_kl(student, teacher, T)).sum().backward()
    difference = (student.detach() / T).softmax(-1) - (teacher / T).softmax(-1)
    torch.testing.assert_close(student.grad, rows[:, None] * T * difference)


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('T', TEMPERATURES)
def test_gradcheck(T, reverse):
    teacher = randn(1)
    assert gradcheck(lambda s: temperature_kl(s, teacher, T, reverse), randn(0).requires_grad_())


def test_t_squared_keeps_the_size_of_the_gradient_as_t_grows():
    """Its limit is the difference of the centred logits over the number of classes."""
    student, teacher = randn(0), randn(1)
    centred = [z - z.mean(-1, keepdim=True) for z in (student, teacher)]
    limit = (centred[0] - centred[1]) / student.shape[-1]
    away = []
    for T in (10.0, 100.0, 1000.0):
        leaf = student.clone().requires_grad_()
        temperature_kl(leaf, teacher, T).sum().backward()
        away.append((leaf.grad - limit).abs().max().item())
    assert away[0] > 5 * away[1] > 25 * away[2]  # nearer with every factor of ten
    assert away[2] < 0.01 * limit.abs().max()


@pytest.mark.parametrize('T', TEMPERATURES)
def test_reverse_is_the_other_direction(T):
    student, teacher = randn(0), randn(1)
    reverse = temperature_kl(student, teacher, T, reverse=True)
    torch.testing.assert_close(reverse, temperature_kl(teacher, student, T))
    assert ((reverse - temperature_kl(student, teacher, T)).abs() > 1e-3).any()


@pytest.mark.parametrize('reverse', [False, True])
def test_teacher_takes_no_gradient(reverse):
    student, teacher = randn(0).requires_grad_(), randn(1).requires_grad_()
    temperature_kl(student, teacher, 2.0, reverse).sum().backward()
    assert teacher.grad is None
    assert student.grad.any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('reverse', [False, True])
def test_half_precision_is_computed_in_float32(dtype, reverse):
    student, teacher = randn(0).to(dtype), randn(1).to(dtype)
    loss = temperature_kl(student, teacher, 2.0, reverse)
    assert loss.dtype == torch.float32
    expected = temperature_kl(student.float(), teacher.float(), 2.0, reverse)
    torch.testing.assert_close(loss, expected, rtol=0, atol=0)


def test_extreme_logits_stay_finite():
    student = torch.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    for reverse in (False, True):
        loss = temperature_kl(student, torch.tensor([[-1e4, 0.0, 1e4]]), 2.0, reverse)
        loss.sum().backward()
        assert loss.item() == pytest.approx(4 * 2e4 / 2)
        assert student.grad.isfinite().all()


def test_no_rows_give_no_numbers():
    student = torch.randn(0, 4, requires_grad=True)
    loss = temperature_kl(student, torch.randn(0, 4), 2.0)
    assert loss.shape == (0,)
    assert loss.sum().item() == 0
    loss.sum().backward()


def test_full_precision_touches_only_the_half_precisions():
    for dtype in (torch.float16, torch.bfloat16):
        assert full_precision(torch.zeros(2, dtype=dtype)).dtype == torch.float32
    for dtype in (torch.float32, torch.float64):
        x = torch.zeros(2, dtype=dtype)
        assert full_precision(x) is x
