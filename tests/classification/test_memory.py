"""Remembered logits; tests/core/test_memory.py has what all heads share."""

import pytest
import torch

from w2s_mm.classification import LogitDistillHead
from w2s_mm.core.tape import Call, Tape
from w2s_mm.utils.errors import W2SError


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


def joined(head, answer):
    tape = Tape(head=[Call((), {}, torch.zeros(answer.shape))])
    return head.join(None, head.split(answer, len(answer)), tape)


def test_the_highest_logits_are_kept_and_the_others_share_the_rest():
    answer = 3 * torch.randn(6, 20, generator=torch.Generator().manual_seed(0))
    found = joined(LogitDistillHead(remember_classes=4), answer)
    expected, got = answer.softmax(1), found.softmax(1)
    top = answer.topk(4).indices
    torch.testing.assert_close(got.gather(1, top), expected.gather(1, top))
    rest = torch.ones_like(answer, dtype=torch.bool).scatter(1, top, False)
    shares = got[rest].view(6, 16)
    torch.testing.assert_close(shares, shares.mean(1, keepdim=True).expand_as(shares))
    torch.testing.assert_close(shares.sum(1), (expected * rest).sum(1))


@pytest.mark.parametrize('keep', [None, 5, 8])
def test_all_logits_are_kept_unchanged(keep):
    answer = torch.randn(3, 5)
    assert torch.equal(joined(LogitDistillHead(remember_classes=keep), answer), answer)


def test_answers_with_other_numbers_of_classes_are_other_answers():
    assert LogitDistillHead(remember_classes=2).memory_key() != LogitDistillHead().memory_key()
    with pytest.raises(W2SError, match=r'remember_classes is 0; expected'):
        LogitDistillHead(remember_classes=0)
