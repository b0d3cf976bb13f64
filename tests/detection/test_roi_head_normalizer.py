"""What the RoI terms are divided by: the confident RoIs, or all that the student sampled."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from tests.detection.test_roi_head import without_objects, without_proposals
from w2s_mm.core.tape import record
from w2s_mm.detection.roi_head import RoIAnswer, RoIDistillHead
from w2s_mm.detection.roi_stages import RoIOutput
from w2s_mm.utils.errors import W2SError

CLASSES, ROIS = 3, 7
L1 = {'type': 'mmdet.L1Loss', 'loss_weight': 1.0}


class Extractor(nn.Module):
    def forward(self, features, rois):
        return rois


class BoxHead(nn.Module):
    num_classes = CLASSES
    reg_class_agnostic = False
    bbox_coder = SimpleNamespace(means=(0.0,) * 4, stds=(1.0,) * 4)

    def __init__(self, logits, deltas):
        super().__init__()
        self.given = logits, deltas

    def forward(self, pooled):
        return self.given


def outputs(seed):
    """Logits (R, C+1) and deltas (R, 4*C) in double precision."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (ROIS, CLASSES + 1), (ROIS, 4 * CLASSES)
    return [2 * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def softmax(row, temperature=1.0):
    powers = [math.exp(value / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def summed(ours, theirs, temperature, threshold):
    """Both terms before they are divided, and the number of confident RoIs, RoI by RoI."""
    cls = bbox = 0.0
    confident = 0
    for r in range(ROIS):
        scores = softmax(theirs[0][r].tolist())[:-1]
        score = max(scores)
        if score < threshold:
            continue
        confident += 1
        q, p = (softmax(side[0][r].tolist(), temperature) for side in (ours, theirs))
        cls += temperature**2 * sum(b * math.log(b / a) for a, b in zip(q, p, strict=True))
        first = 4 * scores.index(score)
        deltas = [side[1][r].tolist()[first : first + 4] for side in (ours, theirs)]
        bbox += score * sum(abs(a - b) for a, b in zip(*deltas, strict=True))
    return cls, bbox, confident


@pytest.mark.parametrize('threshold', [0.2, 0.5])
@pytest.mark.parametrize('normalizer', ['confident', 'sampled', None])
def test_terms_are_the_sums_over_confident_rois_divided_by_the_normalizer(normalizer, threshold):
    ours, theirs = outputs(0), outputs(1)
    box_head = BoxHead(*ours)
    student = nn.Module()
    student.roi_head = nn.Module()
    student.roi_head.bbox_head = box_head
    student.roi_head.bbox_roi_extractor = Extractor()
    given = {} if normalizer is None else {'normalizer': normalizer}
    head = RoIDistillHead(loss_bbox=L1, score_thr=threshold, **given)
    with record(student, head.taps(student)) as tape:
        box_head(student.roi_head.bbox_roi_extractor((), torch.zeros(ROIS, 5)))
    answer = RoIAnswer([RoIOutput(*theirs, box_head)], None)
    terms = head.loss(student, tape, answer, 2.0)
    cls, bbox, confident = summed(ours, theirs, 2.0, threshold)
    assert 1 < confident < ROIS
    n = ROIS if normalizer == 'sampled' else confident  # the default is 'confident'
    assert terms['cls'].dtype == torch.float64
    assert terms['cls'].item() == pytest.approx(cls / n, rel=1e-12)
    assert terms['bbox'].item() == pytest.approx(bbox / n, rel=1e-12)


@pytest.fixture
def make_normalized(make_rcnn_student):
    """``make_normalized(config)``: a student whose terms are divided by all sampled RoIs."""

    def student(config=None):
        head = {'type': 'RoIDistillHead', 'normalizer': 'sampled', 'loss_bbox': L1}
        made = make_rcnn_student(config, distill_head=head)
        made.prepare_teacher()
        made.set_distillation(1.0, 2.0)
        return made

    return student


@pytest.mark.parametrize('family', ['FasterRCNN', 'CascadeRCNN'])
def test_sampled_is_what_the_students_own_loss_is_divided_by(
    detector, make_normalized, make_batch, family
):
    student = make_normalized(detector(family))
    heads = student.roi_head.bbox_head
    stages = list(heads) if isinstance(heads, nn.ModuleList) else [heads]
    own, ours = [], []
    for loss, seen in [(s.loss_cls, own) for s in stages] + [
        (student.distill_heads[0].loss_cls, ours)
    ]:
        loss.register_forward_pre_hook(
            lambda _, args, kwargs, seen=seen: seen.append(float(kwargs['avg_factor'])),
            with_kwargs=True,
        )
    student.loss(*make_batch(student))
    assert ours == own and len(own) == len(stages) and own[0] > 1


def test_no_rois_give_zero(make_normalized, make_batch, monkeypatch):
    student = make_normalized()
    without_proposals(student, [0, 1], monkeypatch)
    losses = student.loss(*without_objects(make_batch(student), [0, 1]))
    terms = [value for name, value in losses.items() if 'distill' in name]
    assert len(terms) == 2 and all(term == 0 for term in terms)


def test_an_unknown_normalizer_is_refused():
    with pytest.raises(W2SError, match=r"normalizer is 'positive'; expected one of \('confident'"):
        MODELS.build({'type': 'RoIDistillHead', 'normalizer': 'positive'})
