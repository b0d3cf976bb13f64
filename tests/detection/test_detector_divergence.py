"""KL(student || teacher) of detectors, as a diagnosis reads it."""

import math

import torch
from mmengine.registry import MODELS

from w2s_mm.core.tape import Call, record
from w2s_mm.detection.dense import DenseAnswer, sigmoid_divergence
from w2s_mm.detection.roi_head import RoIAnswer, RoIOutput


def bernoulli(p, q):
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def logit(p):
    return math.log(p / (1 - p))


def test_sigmoid_divergence_is_the_sum_over_yes_or_no_answers():
    student = torch.tensor([[logit(0.3), logit(0.9)], [0.0, 0.0]], dtype=torch.float64)
    teacher = torch.tensor([[logit(0.6), logit(0.5)], [0.0, 0.0]], dtype=torch.float64)
    expected = torch.tensor([bernoulli(0.3, 0.6) + bernoulli(0.9, 0.5), 0.0], dtype=torch.float64)
    torch.testing.assert_close(sigmoid_divergence(student, teacher), expected)


def test_a_dense_head_is_asked_where_the_teacher_is_confident(make_student):
    student = make_student(score_thr=0.2)
    head = student.bbox_head
    shape = (1, head.num_anchors * head.cls_out_channels, 2, 2)
    theirs = torch.full(shape, logit(0.1))
    theirs[0, 0, 1, 1] = logit(0.7)  # class 0 of anchor 0 at the last place
    ours = torch.full(shape, logit(0.4))
    tape = {'bbox_head': [Call((), {}, ([ours], [ours]))]}
    found = student.distill_head.divergence(student, tape, DenseAnswer([theirs], [], head))
    expected = bernoulli(0.4, 0.7) + 2 * bernoulli(0.4, 0.1)
    torch.testing.assert_close(found, torch.tensor([expected]))


def test_a_student_equal_to_its_teacher_has_divergence_zero(make_student, make_teacher, make_batch):
    student = make_student(teacher=make_teacher()).eval()
    student.load_state_dict(torch.load(student.teacher.checkpoint)['state_dict'])
    inputs, samples = make_batch(student)
    head = student.distill_head
    with torch.no_grad(), record(student, head.taps(student)) as tape:
        student.loss(inputs, samples)
        answer = head.ask(student, student.teacher, inputs, samples, tape)
    found = head.divergence(student, tape, answer)
    assert len(found) > 0
    torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-4, rtol=0)


def test_a_roi_head_is_asked_where_the_teacher_is_confident(make_rcnn_student):
    student = make_rcnn_student(score_thr=0.2)
    theirs = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]]).log()
    ours = torch.tensor([[0.4, 0.2, 0.2, 0.2], [0.4, 0.2, 0.2, 0.2]]).log()
    rois = torch.zeros(2, 5)
    tape = {
        'roi_head.bbox_roi_extractor': [Call(((), rois), {}, None)],
        'roi_head.bbox_head': [Call((), {}, (ours, None))],
    }
    answer = RoIAnswer([RoIOutput(theirs, None, None)], None)
    found = student.distill_head.divergence(student, tape, answer)
    expected = 0.4 * math.log(0.4 / 0.7) + 3 * 0.2 * math.log(0.2 / 0.1)
    torch.testing.assert_close(found, torch.tensor([expected]))
    assert len(student.distill_head.divergence(student, tape, RoIAnswer([], None))) == 0


def test_features_are_the_last_map_pooled_over_positions(make_student, make_batch):
    student = make_student()
    head = student.distill_head
    inputs, _ = make_batch(student)
    with record(student, (head.feature_tap(student),)) as tape:
        maps = student.extract_feat(inputs)
    found = head.features(tape['backbone'][-1])
    assert found.shape == (2, 32) and len(maps) == 2
    torch.testing.assert_close(found, tape['backbone'][-1].output[-1].mean((2, 3)))
    assert MODELS.get('DenseDistillHead') is type(head)
