"""A loss that asks for labels is given those that the student's own loss saw."""

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from tests.detection.test_roi_head import without_objects, without_proposals
from w2s_mm.utils.errors import W2SError


@MODELS.register_module(force=True)
class KeepsLabels(nn.Module):
    """Remembers what it is called with."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, pred, target, weight=None, avg_factor=None, labels=None):
        self.calls.append((pred.detach(), target, labels))
        return pred.sum() * 0


@pytest.fixture
def make_labelled(make_rcnn_student):
    """``make_labelled(config)``: a student with that loss, and what its own loss was given."""

    def student(config=None, score_thr=1e-6):
        head = {
            'type': 'RoIDistillHead',
            'loss_cls': {'type': 'KeepsLabels'},
            'score_thr': score_thr,
        }
        made = make_rcnn_student(config, distill_head=head)
        made.prepare_teacher()
        made.set_distillation(1.0, 2.0)
        heads = made.roi_head.bbox_head
        own = []
        for stage in heads if isinstance(heads, nn.ModuleList) else [heads]:
            own.append([])
            stage.loss_cls.register_forward_pre_hook(
                lambda _, args, seen=own[-1]: seen.append((args[0].detach(), args[1]))
            )
        return made, own

    return student


OHEM = {'train_cfg.rcnn.sampler.type': 'OHEMSampler', 'train_cfg.rcnn.sampler.num': 8}


@pytest.mark.parametrize(
    ('family', 'changes'), [('FasterRCNN', {}), ('FasterRCNN', OHEM), ('CascadeRCNN', {})]
)
def test_labels_and_logits_are_those_of_the_students_own_loss(
    detector, make_labelled, make_batch, family, changes
):
    student, own = make_labelled(detector(family, changes))
    student.loss(*make_batch(student))
    given = student.distill_heads[0].loss_cls.calls
    assert len(given) == len(own) == (3 if family == 'CascadeRCNN' else 1)
    for (pred, _, labels), calls in zip(given, own, strict=True):
        logits, expected = calls[-1]  # OHEM has called it before, on its candidates
        assert torch.equal(labels, expected)
        torch.testing.assert_close(pred, logits / 2)  # T = 2
        assert {3} < set(labels.tolist())  # the background and some object


def test_only_the_labels_of_confident_rois_are_given(make_labelled, make_batch):
    student, own = make_labelled(score_thr=0.2)
    student.loss(*make_batch(student))
    ((_, target, labels),) = student.distill_heads[0].loss_cls.calls
    logits, expected = own[0][-1]
    assert 0 < len(labels) < len(expected)
    assert (2 * target).softmax(-1)[:, :-1].amax(-1).min() >= 0.2
    pred = student.distill_heads[0].loss_cls.calls[0][0]
    rows = [(logits / 2 - row).abs().amax(-1).argmin() for row in pred]
    assert torch.equal(labels, expected[torch.stack(rows)])


@pytest.mark.parametrize('last', [0, 1])
def test_a_stage_that_did_not_run_has_no_labels(
    detector, make_labelled, make_batch, monkeypatch, last
):
    student, own = make_labelled(detector('CascadeRCNN'))
    head = student.roi_head.bbox_head[last]
    monkeypatch.setattr(head, 'refine_bboxes', lambda *args: None)
    student.loss(*make_batch(student))
    given = student.distill_heads[0].loss_cls.calls
    assert [len(calls) for calls in own] == [1] * (last + 1) + [0] * (2 - last)
    for (*_, labels), calls in zip(given[: last + 1], own, strict=False):
        assert torch.equal(labels, calls[-1][1])
    for pred, target, labels in given[last + 1 :]:
        assert len(pred) == len(target) == len(labels) == 0
        assert labels.dtype == torch.long


@pytest.mark.parametrize('family', ['FasterRCNN', 'CascadeRCNN'])
def test_no_rois_at_all_have_no_labels(detector, make_labelled, make_batch, monkeypatch, family):
    """MMDetection does not call its own loss then."""
    student, own = make_labelled(detector(family))
    without_proposals(student, [0, 1], monkeypatch)
    losses = student.loss(*without_objects(make_batch(student), [0, 1]))
    student.parse_losses(losses)[0].backward()
    assert not any(own)
    given = student.distill_heads[0].loss_cls.calls
    assert len(given) == len(own)
    assert all(len(labels) == 0 and labels.dtype == torch.long for *_, labels in given)


@pytest.mark.parametrize(
    ('head', 'match'),
    [
        ({'type': 'DenseDistillHead', 'loss_cls': {'type': 'KeepsLabels'}}, 'KeepsLabels.*labels'),
        ({'type': 'RoIDistillHead', 'loss_rpn': {'type': 'KeepsLabels'}}, 'loss_rpn: KeepsLabels'),
    ],
    ids=['dense', 'rpn'],
)
def test_priors_have_no_labels_to_give(head, match):
    with pytest.raises(W2SError, match=match):
        MODELS.build(head)
