"""The mask term of two-stage detectors, compared with a loop over RoIs and pixels."""

import copy
import math

import pytest
import torch

from tests import contracts
from tests.detection.boxes import sigmoid
from tests.detection.conftest import batch_norms_in_eval_mode
from tests.detection.test_roi_head_refusals import refusal
from w2s_mm.core.tape import record
from w2s_mm.detection.masks import mask_answer

HEAD = {
    'type': 'RoIDistillHead',
    'score_thr': 0.2,
    'loss_mask': {'type': 'FocalLogitDistillLoss', 'focal': 0.0},
}


@pytest.fixture
def cascade(detector):
    """A tiny Cascade Mask R-CNN."""
    config, masks = detector('CascadeRCNN'), detector('MaskRCNN')['roi_head']
    config['roi_head']['mask_roi_extractor'] = masks['mask_roi_extractor']
    config['roi_head']['mask_head'] = masks['mask_head']
    for stage in config['train_cfg']['rcnn']:
        stage['mask_size'] = 14
    config['test_cfg']['rcnn']['mask_thr_binary'] = 0.5
    return config


@pytest.fixture
def make_masked(detector, make_rcnn_student, make_batch):
    """``make_masked(config, teacher)``: a distilling student with a mask term, and a batch."""

    def made(config=None, teacher=None, **head):
        config = config or detector('MaskRCNN')
        student = make_rcnn_student(config, teacher, distill_head={**HEAD, **head})
        student.prepare_teacher()
        student.set_distillation(1.0, 2.0)
        return student, make_batch(student, masks=True)

    return made


def written_out(teacher, batch, extractor, head, stage, threshold, T=2.0):
    """The term of one stage pixel by pixel, and how many RoIs take part."""
    total, count = 0.0, 0
    rois, ours = extractor.args[1], head.output
    with torch.no_grad():
        features = teacher.extract_feat(batch)
        scores = teacher.roi_head._bbox_forward(*stage, features, rois)['cls_score'].softmax(-1)
        masks = teacher.roi_head._mask_forward(*stage, features, rois)['mask_preds']
    for row, mask, own in zip(scores.tolist(), masks, ours, strict=True):
        label = max(range(len(row) - 1), key=row.__getitem__)
        if row[label] < threshold:
            continue
        count += 1
        pair = (side[label].flatten().double().tolist() for side in (mask, own))
        for t, s in zip(*pair, strict=True):
            p, q = sigmoid(t / T), sigmoid(s / T)
            total += T**2 * (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
    return total / max(count, 1) / masks[0, 0].numel(), count, len(rois)


def test_term_equals_a_loop_over_rois_and_pixels(make_masked):
    student, batch = make_masked()
    taps = ['roi_head.mask_roi_extractor', 'roi_head.mask_head']
    with record(student, taps) as tape:
        losses = student.loss(*batch)
    images = student.teacher.see(student, *batch)
    calls = [tape.last(tap) for tap in taps]
    expected, count, total = written_out(student.teacher.model, images, *calls, (), 0.2)
    assert count == total > 0
    assert losses['loss_distill_mask'].item() == pytest.approx(expected, rel=1e-4)


def test_only_rois_with_a_confident_class_count(make_masked):
    student, batch = make_masked()
    teacher, rois = student.teacher.model, torch.tensor([[0.0, 4, 6, 20, 22], [1, 20, 12, 60, 60]])
    with torch.no_grad():
        features = teacher.extract_feat(student.teacher.see(student, *batch))
        scores = teacher.roi_head._bbox_forward(features, rois)['cls_score'].softmax(-1)
        low, high = scores[:, :-1].amax(-1).sort().values.tolist()
        assert low < high
        answer = mask_answer(teacher.roi_head, (), features, rois, (low + high) / 2)
        masks = teacher.roi_head._mask_forward(features, rois)['mask_preds']
    chosen = scores[:, :-1].amax(-1).argmax()
    assert answer.confident.tolist() == [chosen]
    assert answer.label.tolist() == [scores[chosen, :-1].argmax()]
    assert torch.equal(answer.logits[0], masks[chosen, answer.label[0]].flatten())


def test_every_stage_of_a_cascade_is_compared_and_weighted(make_masked, cascade):
    student, batch = make_masked(cascade)
    pairs = [(f'roi_head.mask_roi_extractor.{i}', f'roi_head.mask_head.{i}') for i in range(3)]
    with record(student, [name for pair in pairs for name in pair]) as tape:
        losses = student.loss(*batch)
    images = student.teacher.see(student, *batch)
    for index, (pair, weight) in enumerate(zip(pairs, (1, 0.5, 0.25), strict=True)):
        calls = [tape.last(tap) for tap in pair]
        expected, count, _ = written_out(student.teacher.model, images, *calls, (index,), 0.2)
        assert count > 0
        found = losses[f'loss_distill_s{index}.mask'].item()
        assert found == pytest.approx(weight * expected, rel=1e-4)


def test_a_stage_that_did_not_run_gives_zero(make_masked, cascade, monkeypatch):
    student, batch = make_masked(cascade)
    monkeypatch.setattr(student.roi_head.bbox_head[0], 'refine_bboxes', lambda *args: None)
    losses = student.loss(*batch)
    assert losses['loss_distill_s0.mask'] > 0
    assert losses['loss_distill_s1.mask'] == losses['loss_distill_s2.mask'] == 0


def test_masks_of_one_class_and_masks_for_all_classes(make_masked, detector, save_teacher):
    teacher = save_teacher(detector('MaskRCNN', {'roi_head.mask_head.class_agnostic': True}))
    student, batch = make_masked(teacher=teacher)
    student.loss(*batch)['loss_distill_mask'].backward()
    assert student.roi_head.mask_head.conv_logits.weight.grad.any()


def test_equal_weights_give_zero(make_masked):
    student, batch = make_masked()
    batch_norms_in_eval_mode(student)
    student.load_state_dict(torch.load(student.teacher.checkpoint)['state_dict'])
    assert student.loss(*batch)['loss_distill_mask'].item() == pytest.approx(0, abs=1e-6)


def test_gradient_reaches_the_masks_and_no_box(make_masked):
    student, batch = make_masked()
    student.loss(*batch)['loss_distill_mask'].backward()
    assert student.roi_head.mask_head.conv_logits.weight.grad.any()
    assert all(p.grad is None for p in student.roi_head.bbox_head.parameters())
    assert all(p.grad is None for p in student.teacher.model.parameters())


def test_nobody_confident_gives_zero(make_masked):
    student, batch = make_masked(score_thr=0.9999)
    assert student.loss(*batch)['loss_distill_mask'] == 0


def test_nan_in_a_mask_drops_the_answer(make_masked):
    student, batch = make_masked()
    student.teacher.model.roi_head.mask_head.conv_logits.bias.fill_(torch.nan)
    losses = student.loss(*batch)
    assert losses['loss_distill_mask'] == losses['loss_distill_cls'] == 0


def test_amp_is_near_float32(make_masked, monkeypatch):
    """With the same proposals; on a CPU, RoIAlign has no bfloat16."""
    student, batch = make_masked()
    student.eval()
    with torch.no_grad():
        features = student.extract_feat(batch[0])
        proposals = student.rpn_head.predict(features, batch[1], rescale=False)
    monkeypatch.setattr(
        student.rpn_head, 'predict_by_feat', lambda *args, **kwargs: copy.deepcopy(proposals)
    )
    contracts.assert_amp_is_near_float32(student, batch, torch.float16)


def test_what_cannot_be_compared_is_refused(detector, make_rcnn_student, save_teacher):
    config = detector('MaskRCNN')

    def told(ours, theirs):
        teacher = save_teacher(theirs)
        return refusal(make_rcnn_student(ours, teacher, distill_head=HEAD))

    assert 'FasterRCNN has none' in told(config, detector('FasterRCNN'))
    shared = detector('MaskRCNN', {'roi_head.mask_roi_extractor': None})
    assert 'uses the features of its boxes' in told(shared, shared)
    larger = detector('MaskRCNN', {'roi_head.mask_roi_extractor.roi_layer.output_size': 14})
    assert 'teacher [(28, 28)], student [(14, 14)]' in told(config, larger)
    coarse = {'roi_head.mask_head.type': 'HTCMaskHead', 'roi_head.mask_head.with_conv_res': False}
    assert 'HTCMaskHead' in told(config, detector('MaskRCNN', coarse))
