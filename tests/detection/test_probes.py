"""What a diagnosis reads of detectors: entropy, KL(student || teacher) and features."""

import math

import pytest
import torch

from tests.detection.conftest import batch_norms_in_eval_mode
from w2s_mm.core.tape import Call, Tape, record
from w2s_mm.detection.dense import dense_answer
from w2s_mm.detection.roi_head import RoIAnswer
from w2s_mm.detection.roi_stages import RoIOutput


def bernoulli(p, q):
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def logit(p):
    return math.log(p / (1 - p))


def entropy(row):
    return -sum(p * math.log(p) for p in row)


@pytest.fixture
def one_confident_prior(make_student):
    """A student, its probe, and a map on which one prior of class 0 reaches 0.7."""
    student = make_student(score_thr=0.2)
    head = student.bbox_head
    scores = torch.full((1, head.num_anchors * head.cls_out_channels, 2, 2), logit(0.1))
    scores[0, 0, 1, 1] = logit(0.7)
    return student, student.distill_heads[0].probe(), scores


def test_dense_entropy_is_that_of_the_confident_priors(one_confident_prior):
    student, probe, scores = one_confident_prior
    found = probe.entropy(student, Tape(bbox_head=[Call((), {}, ([scores], []))]))
    expected = entropy((0.7, 0.3)) + 2 * entropy((0.1, 0.9))
    torch.testing.assert_close(found, torch.tensor([expected]))


def test_dense_divergence_is_that_where_the_teacher_is_confident(one_confident_prior):
    student, probe, theirs = one_confident_prior
    ours = torch.full_like(theirs, logit(0.4))
    tape = Tape(bbox_head=[Call((), {}, ([ours], []))])
    answer = dense_answer(([theirs], []), student.bbox_head, probe.score_thr, with_boxes=False)
    found = probe.divergence(student, tape, answer)
    expected = bernoulli(0.4, 0.7) + 2 * bernoulli(0.4, 0.1)
    torch.testing.assert_close(found, torch.tensor([expected]))


@pytest.mark.parametrize(
    'family', ['RetinaNet', 'GFL', 'YOLOX', 'YOLACT', 'FasterRCNN', 'CascadeRCNN']
)
def test_a_student_equal_to_its_teacher_has_divergence_zero(make_family, make_batch, family):
    student = make_family(family)
    batch_norms_in_eval_mode(student)
    student.load_state_dict(torch.load(student.teacher.checkpoint)['state_dict'])
    head = student.distill_heads[0]
    probe, batch = head.probe(), make_batch(student, masks=family == 'YOLACT')
    with torch.no_grad(), record(student, probe.taps(student)) as tape:
        student.loss(*batch)
        answer = head.ask(student, student.teacher, *batch, tape)
        found = probe.divergence(student, tape, answer)
    assert len(found) > 0
    torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-4, rtol=0)


def test_roi_divergence_is_that_where_the_teacher_is_confident(make_rcnn_student):
    student = make_rcnn_student(score_thr=0.2)
    theirs = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]]).log()
    ours = torch.tensor([[0.4, 0.2, 0.2, 0.2], [0.4, 0.2, 0.2, 0.2]]).log()
    tape = Tape(
        {
            'roi_head.bbox_roi_extractor': [Call(((), torch.zeros(2, 5)), {}, None)],
            'roi_head.bbox_head': [Call((), {}, (ours, None))],
        }
    )
    probe = student.distill_heads[0].probe()
    found = probe.divergence(student, tape, RoIAnswer([RoIOutput(theirs, None, None)], None))
    expected = 0.4 * math.log(0.4 / 0.7) + 3 * 0.2 * math.log(0.2 / 0.1)
    torch.testing.assert_close(found, torch.tensor([expected]))
    assert len(probe.divergence(student, tape, RoIAnswer([], None))) == 0


@pytest.mark.parametrize('family', ['FasterRCNN', 'CascadeRCNN'])
def test_roi_entropy_is_that_of_the_confident_rois(make_family, make_batch, family):
    """Of a teacher alone, as it is evaluated; every stage counts."""
    student = make_family(family)
    model, probe = student.teacher.model, student.distill_heads[0].probe()
    with torch.no_grad(), record(model, probe.taps(model)) as tape:
        model.predict(*make_batch(model, training=False))
    stages = [name for name in tape if name.startswith('roi_head.bbox_head')]
    assert len(stages) == (3 if family == 'CascadeRCNN' else 1)
    rows = [row for name in stages for row in tape[name][0].output[0].softmax(-1).tolist()]
    expected = [entropy(row) for row in rows if max(row[:-1]) >= 0.2]
    assert expected
    torch.testing.assert_close(probe.entropy(model, tape), torch.tensor(expected))


def test_no_proposals_have_no_entropy(make_rcnn_student):
    student = make_rcnn_student()
    probe = student.distill_heads[0].probe()
    tape = Tape({name: [] for name in probe.taps(student)})
    assert len(probe.entropy(student, tape)) == 0


@pytest.mark.parametrize('family', ['RetinaNet', 'FasterRCNN'])
def test_features_are_the_last_map_pooled_over_positions(make_family, make_batch, family):
    student = make_family(family)
    probe = student.distill_heads[0].probe()
    with record(student, probe.taps(student)) as tape:
        student.extract_feat(make_batch(student)[0])
    found = probe.features(student, tape)
    assert found.shape == (2, 32)
    torch.testing.assert_close(found, tape.last('backbone').output[-1].mean((2, 3)))
