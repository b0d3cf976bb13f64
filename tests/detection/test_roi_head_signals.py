"""Every loss between softmax logits, through a whole two-stage detector."""

import pytest
import torch
from mmengine.registry import MODELS

import w2s_mm.detection.roi_head
from tests.detection.test_roi_head import without_objects, without_proposals
from tests.losses.signals import SIGNALS
from w2s_mm.utils.errors import W2SError

EACH = pytest.mark.parametrize('signal', SIGNALS)


@pytest.fixture
def make_ready(make_rcnn_student):
    """``make_ready(signal, config, score_thr)``: a student with that loss, about to distil."""

    def student(signal, config=None, score_thr=0.2):
        head = {
            'type': 'RoIDistillHead',
            'loss_cls': SIGNALS[signal][0],
            'score_thr': score_thr,
        }
        made = make_rcnn_student(config, distill_head=head)
        made.prepare_teacher()
        made.set_distillation(1.0, 2.0)
        return made

    return student


@EACH
def test_term_equals_the_reference_on_the_confident_rois(
    signal, make_ready, make_batch, monkeypatch
):
    student = make_ready(signal)
    seen = []
    tempered = w2s_mm.detection.roi_head.tempered

    def spy(loss, pred, target, temperature, **kwargs):
        seen.append((pred.detach().double().numpy(), target.double().numpy()))
        return tempered(loss, pred, target, temperature, **kwargs)

    monkeypatch.setattr(w2s_mm.detection.roi_head, 'tempered', spy)
    own = []
    student.roi_head.bbox_head.loss_cls.register_forward_pre_hook(
        lambda _, args: own.append((args[0].detach().double().numpy(), args[1]))
    )
    losses = student.loss(*make_batch(student))
    ((pred, target),), ((logits, labels),) = seen, own
    assert 3 <= len(pred) < len(logits)
    rows = [abs(logits - row).max(-1).argmin() for row in pred]
    expected = SIGNALS[signal][1](pred, target, labels[rows].tolist(), 2.0)
    assert losses['loss_distill_cls'].item() == pytest.approx(expected, rel=1e-4)
    student.parse_losses(losses)[0].backward()
    assert student.roi_head.bbox_head.fc_cls.weight.grad.isfinite().all()


@EACH
def test_no_confident_roi_gives_zero_and_no_gradient(signal, make_ready, make_batch):
    student = make_ready(signal, score_thr=0.9999)
    term = student.loss(*make_batch(student))['loss_distill_cls']
    assert term.item() == 0
    term.backward()
    assert all(p.grad is None or not p.grad.any() for p in student.parameters())


@EACH
@pytest.mark.parametrize('family', ['FasterRCNN', 'CascadeRCNN'])
def test_no_rois_at_all_give_zero(signal, family, detector, make_ready, make_batch, monkeypatch):
    student = make_ready(signal, detector(family))
    without_proposals(student, [0, 1], monkeypatch)
    losses = student.loss(*without_objects(make_batch(student), [0, 1]))
    terms = [value for name, value in losses.items() if 'distill' in name]
    assert len(terms) == (3 if family == 'CascadeRCNN' else 1)
    assert not any(terms)
    student.parse_losses(losses)[0].backward()
    grads = [p.grad for p in student.parameters() if p.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)


@EACH
def test_cascade_weights_each_stage(signal, detector, make_ready, make_batch):
    student = make_ready(signal, detector('CascadeRCNN'))
    losses = student.loss(*make_batch(student))
    terms = [losses[f'loss_distill_s{stage}.cls'] for stage in range(3)]
    assert all(term > 0 and term.isfinite() for term in terms)
    torch.stack(terms).sum().backward()
    assert all(head.fc_cls.weight.grad.any() for head in student.roi_head.bbox_head)


@EACH
def test_objectness_refuses_it(signal):
    with pytest.raises(W2SError, match=r'labels|logits of a softmax'):
        MODELS.build({'type': 'RoIDistillHead', 'loss_rpn': SIGNALS[signal][0]})


@EACH
def test_sigmoid_scores_refuse_it(signal, make_student):
    with pytest.raises(W2SError, match=r'labels|logits of a softmax'):
        make_student(
            distill_head={'type': 'DenseDistillHead', 'loss_cls': SIGNALS[signal][0]}
        ).prepare_teacher()


def test_rois_refuse_a_loss_between_sigmoid_scores():
    loss = {'type': 'FocalLogitDistillLoss'}
    with pytest.raises(W2SError, match=r'distill_head\.loss_cls: FocalLogitDistillLoss'):
        MODELS.build({'type': 'RoIDistillHead', 'loss_cls': loss})
