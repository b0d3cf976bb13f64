"""Remembered logits; tests/core/test_memory.py has what all heads share."""

import torch


def test_logits_are_remembered_image_by_image(make_student, make_batch, save_teacher, classifier,
                                              tmp_path):  # fmt: skip
    teacher = {**save_teacher(classifier()), 'remember': str(tmp_path / 'answers')}

    def ready():
        student = make_student(teacher=teacher).eval()
        student.prepare_teacher()
        student.set_distillation(1.0, 2.0)
        return student

    student = ready()
    inputs, samples = make_batch(student, size=4)
    memory = student.teacher.memory
    expected = student.loss(inputs, samples)['loss_distill_kl']
    student.loss(inputs[:2].flip(0), samples[:2])
    assert (memory.asked, memory.remembered) == (4, 2)
    other = torch.cat([inputs[3:], inputs[:1].flip(-1)])
    student.loss(other, samples[:2])
    assert (memory.asked, memory.remembered) == (5, 3)

    again = ready()

    def fail(*args, **kwargs):
        raise AssertionError('the teacher was asked')

    again.teacher.model.forward = fail
    assert torch.equal(again.loss(inputs, samples)['loss_distill_kl'], expected)
    plain = make_student(teacher={**teacher, 'remember': None}).eval()
    plain.prepare_teacher()
    plain.set_distillation(1.0, 2.0)
    torch.testing.assert_close(plain.loss(inputs, samples)['loss_distill_kl'], expected)
