import inspect

import pytest
import torch
from mmdet.models import RetinaNet
from mmengine.registry import MODELS, DefaultScope

from w2s_mm.core.student import WeakToStrong
from w2s_mm.detection import W2SRetinaNet, detectors


def test_every_student_is_the_mixin_before_a_detector():
    students = [
        kind
        for _, kind in inspect.getmembers(detectors, inspect.isclass)
        if issubclass(kind, WeakToStrong) and kind is not WeakToStrong
    ]
    assert W2SRetinaNet in students
    for kind in students:
        assert kind.__mro__[1] is WeakToStrong
        assert MODELS.get(kind.__name__) is kind


@pytest.mark.parametrize('scope', ['mmdet', 'mmengine', 'mmpretrain'])
def test_configs_of_any_scope_find_it(scope):
    with DefaultScope.overwrite_default_scope(scope), MODELS.switch_scope_and_registry(scope) as r:
        assert r.get('W2SRetinaNet') is W2SRetinaNet
        assert r.get('DenseDistillHead').__name__ == 'DenseDistillHead'


def test_is_a_retinanet_that_trains(make_student, make_batch):
    student = make_student()
    assert isinstance(student, RetinaNet)
    student.set_distillation(1.0, 2.0)
    inputs, samples = make_batch(student)
    losses = student(inputs, samples, mode='loss')
    assert set(losses) == {
        'loss_cls', 'loss_bbox', 'loss_distill_cls', 'loss_distill_bbox'
    }  # fmt: skip
    total, _ = student.parse_losses(losses)
    total.backward()
    assert total.isfinite()


def test_learns_from_the_teacher_alone(make_student, make_batch):
    """A few steps on the distillation terms bring the student's answer nearer to the teacher's."""
    student = make_student()
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
    batch = make_batch(student)
    course = []
    for _ in range(15):
        losses = student.loss(*batch)
        distance = losses['loss_distill_cls'] + losses['loss_distill_bbox']
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
        course.append(distance.item())
    assert course[-1] < 0.8 * course[0]
