import copy
import logging

import pytest
import torch
from torch.utils._pytree import tree_map

from tests.contracts import assert_bitwise, flat, step
from w2s_mm.core.guard import MAX_DROPPED, Guard
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.utils.errors import W2SError


@pytest.fixture
def plain(retinanet, build):
    torch.manual_seed(0)
    return build(retinanet()).train()


@pytest.fixture
def never_built(monkeypatch):
    def refuse(self):
        raise AssertionError('the teacher was built')

    monkeypatch.setattr(FrozenTeacher, 'load', refuse)


def total(model, losses):
    return model.parse_losses(losses)[0]


@pytest.mark.parametrize(('gamma', 'weight'), [(1.0, 0.5), (2.0, 1.0), (0.5, 6.0)])
def test_terms_scale_with_gamma_and_weight(gamma, weight, make_student, make_teacher, make_batch):
    arguments = make_teacher()
    unit, scaled = make_student(teacher=arguments), make_student(teacher=arguments, gamma=gamma)
    unit.set_distillation(1.0, 2.0)
    scaled.set_distillation(weight, 2.0)
    ones, found = unit.loss(*make_batch(unit)), scaled.loss(*make_batch(scaled))
    for name in ('loss_distill_cls', 'loss_distill_bbox'):
        assert ones[name] > 0
        torch.testing.assert_close(found[name], gamma * weight * ones[name])


def test_terms_follow_the_temperature(make_student, make_batch):
    student = make_student()
    values = []
    for temperature in (1.0, 2.0):
        student.set_distillation(1.0, temperature)
        values.append(student.loss(*make_batch(student))['loss_distill_cls'])
    assert values[0] != values[1]


def test_gradient_of_the_total_is_the_sum_of_the_two(make_student, make_batch):
    """lambda scales the distillation gradient; the base gradient is not touched."""
    student = make_student()

    def gradient(weight):
        student.zero_grad()
        student.set_distillation(weight, 2.0)
        student.eval()  # no BatchNorm statistics between the calls
        total(student, student.loss(*batch)).backward()
        return torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None])

    batch = make_batch(student)
    base, one, three = gradient(0.0), gradient(1.0), gradient(3.0)
    assert (one - base).abs().max() > 1e-3
    torch.testing.assert_close(three - base, 3 * (one - base), rtol=1e-3, atol=1e-4)


def test_every_term_is_in_the_total_and_nothing_else(make_student, make_batch):
    student = make_student()
    student.set_distillation(2.0, 2.0)
    losses = student.loss(*make_batch(student))
    summed = sum(value.sum() for value in flat(losses).values())
    torch.testing.assert_close(total(student, losses), summed)
    assert all(name.startswith('loss_') for name in losses)


def test_predicting_never_builds_the_teacher(make_student, make_raw, never_built):
    student = make_student().eval()
    student.set_distillation(1.0, 2.0)
    results = student.test_step(make_raw())
    assert len(results) == 2 and 'pred_instances' in results[0]


def test_teacher_is_used_only_while_distilling(make_student, make_batch):
    student = make_student()
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    student.loss(*make_batch(student))
    student.set_distillation(0.0, 2.0)
    student.teacher.release()
    student.loss(*make_batch(student))
    student.set_distillation(1.0, 2.0)
    with pytest.raises(W2SError, match='released'):
        student.loss(*make_batch(student))


def test_no_recording_hooks_stay_behind(make_student, make_batch):
    student = make_student()
    student.set_distillation(1.0, 2.0)
    student.loss(*make_batch(student))
    assert not any(module._forward_hooks for module in student.modules())


@pytest.mark.parametrize('gamma', [-1.0, float('nan')])
def test_bad_gamma_is_named(gamma, make_student):
    with pytest.raises(W2SError, match=rf'model\.gamma is {gamma}'):
        make_student(gamma=gamma)


@pytest.fixture
def spoil(monkeypatch):
    """``heal = spoil(student, value)``: from here on its teacher's answers hold one ``value``."""

    def spoil_answers(student, value):
        ask = student.distill_heads[0].ask

        def spoiled(*args):
            return tree_map(put, ask(*args))

        def put(leaf):
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
                leaf = leaf.clone()
                leaf[(0,) * leaf.dim()] = value
            return leaf

        monkeypatch.setattr(student.distill_heads[0], 'ask', spoiled)
        return lambda: monkeypatch.setattr(student.distill_heads[0], 'ask', ask)

    return spoil_answers


@pytest.fixture
def warnings(monkeypatch):
    said = []

    def keep(message, logger, level):
        assert level == logging.WARNING
        said.append(message)

    monkeypatch.setattr('w2s_mm.core.guard.print_log', keep)
    return said


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_an_answer_that_is_not_finite_leaves_the_baselines_loss_and_gradients(
    value, make_student, plain, make_batch, spoil
):
    student = make_student()
    student.set_distillation(1.0, 2.0)
    spoil(student, value)
    found = step(student, make_batch(student))
    for name in ('loss loss_distill_cls', 'loss loss_distill_bbox'):
        assert found.pop(name) == 0
    assert_bitwise(found, step(plain, make_batch(plain)))


def test_answers_that_are_dropped_are_warned_of_once_and_counted(
    make_student, make_batch, spoil, warnings
):
    student = make_student()
    student.set_distillation(1.0, 2.0)
    batch = make_batch(student)
    heal = spoil(student, float('nan'))
    student.loss(*batch)
    heal()
    assert not warnings  # nothing is read in the same iteration
    assert student.loss(*batch)['loss_distill_cls'] > 0
    assert len(warnings) == 1 and 'was dropped' in warnings[0]
    spoil(student, float('inf'))
    for _ in range(MAX_DROPPED + 2):  # once there was a finite one, any number is survived
        assert student.loss(*batch)['loss_distill_cls'] == 0
    heal()
    assert student.loss(*batch)['loss_distill_cls'] > 0
    assert len(warnings) == 1
    assert student.guard.state_dict() == {'answers': MAX_DROPPED + 5, 'dropped': MAX_DROPPED + 3}


def test_a_teacher_that_never_gives_a_finite_answer_is_an_error(
    make_student, make_batch, spoil, warnings
):
    student = make_student()
    student.set_distillation(1.0, 2.0)
    batch = make_batch(student)
    spoil(student, float('nan'))
    for _ in range(MAX_DROPPED):
        student.loss(*batch)
    with pytest.raises(W2SError, match=rf'first {MAX_DROPPED} answers.*NaN or infinity.*w2s test'):
        student.loss(*batch)
    assert len(warnings) == 1


def test_a_finite_answer_is_passed_on_bit_by_bit(make_student, make_batch, monkeypatch):
    student = make_student()
    twin = copy.deepcopy(student)
    for model in (student, twin):
        model.set_distillation(1.0, 2.0)
    admit = Guard.admit

    def admit_unchanged(self, answer, device):
        admit(self, answer, device)
        return answer

    monkeypatch.setattr(Guard, 'admit', admit_unchanged)
    expected = step(student, make_batch(student))
    monkeypatch.undo()
    assert_bitwise(step(twin, make_batch(twin)), expected)
