"""The RoI distill head compared with a plain loop over RoIs, on tiny two-stage detectors."""

import math
from typing import Any, NamedTuple

import pytest
import torch
from mmengine.registry import MODELS

from tests import contracts
from tests.detection.boxes import decode, giou, sigmoid
from w2s_mm.core.tape import record
from w2s_mm.detection import RoIDistillHead
from w2s_mm.utils.errors import W2SError


class Stage(NamedTuple):
    """What is compared in one stage: RoIs (R, 5), logits and deltas a side, and the two heads."""

    rois: Any
    ours: Any
    theirs: Any
    heads: Any


class Compared(NamedTuple):
    """Distillation terms by short name, the stages behind them, objectness maps of both sides."""

    terms: dict
    stages: list
    objectness: tuple


def parts(model):
    """Names of RoI extractor and box head of each stage."""
    names = 'roi_head.bbox_roi_extractor', 'roi_head.bbox_head'
    head = model.roi_head.bbox_head
    if not isinstance(head, torch.nn.ModuleList):
        return [names]
    return [tuple(f'{name}.{i}' for name in names) for i in range(len(head))]


@pytest.fixture
def plain_teacher(build):
    """``plain_teacher(student)``: the teacher as MMDetection itself builds it, unfolded."""

    def teacher(student):
        model = build(student.teacher.config).eval()
        model.load_state_dict(torch.load(student.teacher.checkpoint)['state_dict'])
        return model

    return teacher


@pytest.fixture
def distill(plain_teacher):
    """``distill(student, batch, temperature)``: what one loss gave and what it was made of."""

    def run(student, batch, temperature=2.0):
        student.prepare_teacher()
        student.set_distillation(1.0, temperature)
        names = [name for pair in parts(student) for name in pair]
        with record(student, [*names, 'rpn_head']) as tape:
            losses = student.loss(*batch)
        terms = {
            name.removeprefix('loss_distill_'): value
            for name, value in losses.items()
            if name.startswith('loss_distill_')
        }
        teacher = plain_teacher(student)
        stages = []
        with torch.no_grad():
            features = teacher.extract_feat(student.teacher.see(student, *batch))
            answering = parts(teacher)
            for index, (extractor, head) in enumerate(parts(student)):
                if not tape[head]:
                    break
                # A sampler may have run both before the pass that counts, a mask head one after it.
                pooled = [call.args[1] for call in tape[extractor]]
                rois = [rois for rois in pooled if len(rois) == len(tape[head][-1].output[0])][-1]
                pool, judge = map(teacher.get_submodule, answering[index % len(answering)])
                pooled = pool(features[: pool.num_inputs], rois)
                if teacher.roi_head.with_shared_head:
                    pooled = teacher.roi_head.shared_head(pooled)
                heads = student.get_submodule(head), judge
                stages.append(Stage(rois, tape[head][-1].output, judge(pooled), heads))
            objectness = tape['rpn_head'][-1].output[0], teacher.rpn_head(features)[0]
        return Compared(terms, stages, objectness)

    return run


def softmax(row, T):
    powers = [math.exp((z - max(row)) / T) for z in row]
    return [power / sum(powers) for power in powers]


def written_out(stage, T, threshold, mode):
    """Both terms, and the classes of the RoIs that take part, RoI by RoI."""
    cls = bbox = 0.0
    labels = []
    for r, (_, *roi) in enumerate(stage.rois.tolist()):
        s, t = (side[0][r].double().tolist() for side in (stage.ours, stage.theirs))
        foreground = softmax(t, 1.0)[:-1]
        weight = max(foreground)
        if weight < threshold:
            continue
        labels.append(foreground.index(weight))
        q, p = softmax(s, T), softmax(t, T)
        cls += T**2 * sum(b * math.log(b / a) for a, b in zip(q, p, strict=True))
        shifts = []  # of centre and size, without any normalisation
        for head, side in zip(stage.heads, (stage.ours, stage.theirs), strict=True):
            first = 0 if head.reg_class_agnostic else 4 * labels[-1]
            deltas = side[1][r].double().tolist()[first : first + 4]
            coder = head.bbox_coder
            shifts.append(
                [
                    d * std + mean
                    for d, std, mean in zip(deltas, coder.stds, coder.means, strict=True)
                ]
            )
        if mode == 'l1':
            stds = stage.heads[0].bbox_coder.stds
            bbox += weight * sum(abs(a - b) / std for a, b, std in zip(*shifts, stds, strict=True))
        else:
            bbox += weight * (1 - giou(*(decode(roi, shift, [1.0] * 4) for shift in shifts)))
    n = max(len(labels), 1)
    return cls / n, bbox / n, labels


def assert_terms(found, T=2.0, threshold=0.2, mode='l1'):
    """Terms of a Faster R-CNN equal the loop; gives the classes of the RoIs that took part."""
    cls, bbox, labels = written_out(found.stages[0], T, threshold, mode)
    assert found.terms['cls'].item() == pytest.approx(cls, rel=1e-4, abs=1e-6)
    assert found.terms['bbox'].item() == pytest.approx(bbox, rel=1e-4, abs=1e-6)
    return labels


@pytest.mark.parametrize('mode', ['l1', 'giou'])
@pytest.mark.parametrize(('T', 'threshold'), [(2.0, 0.2), (1.0, 0.35), (6.0, 0.2)])
def test_terms_equal_a_loop_over_every_roi(
    make_rcnn_student, make_batch, distill, mode, T, threshold
):
    student = make_rcnn_student(score_thr=threshold, box=mode)
    found = distill(student, make_batch(student), T)
    assert set(found.terms) == {'cls', 'bbox'}
    labels = assert_terms(found, T, threshold, mode)
    assert 3 <= len(labels) < len(found.stages[0].rois)  # both sides of the threshold are there
    assert len(set(labels)) > 1
    assert all(term > 0.01 for term in found.terms.values())


@pytest.mark.parametrize(
    ('mode', 'agnostic'),
    [('l1', (False, True)), ('l1', (True, True)), ('giou', (True, False))],
)
def test_boxes_for_each_class_and_boxes_for_all_classes(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, distill, mode, agnostic
):
    ours, theirs = (faster_rcnn({'roi_head.bbox_head.reg_class_agnostic': a}) for a in agnostic)
    student = make_rcnn_student(ours, save_teacher(theirs), box=mode)
    assert_terms(distill(student, make_batch(student)), mode=mode)


STDS = {'roi_head.bbox_head.bbox_coder.target_stds': [0.2, 0.3, 0.5, 1.0]}
MEANS = {'roi_head.bbox_head.bbox_coder.target_means': [0.1, -0.1, 0.2, 0.3]}
CODERS = pytest.mark.parametrize(
    'changes', [STDS, MEANS, {**STDS, **MEANS}], ids=['stds', 'means', 'both']
)


@CODERS
def test_deltas_of_another_normalisation_are_those_of_decode_and_encode(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, distill, changes
):
    student = make_rcnn_student(teacher=save_teacher(faster_rcnn(changes)))
    sides = []
    student.distill_heads[0].loss_bbox.register_forward_pre_hook(lambda _, args: sides.append(args))
    found = distill(student, make_batch(student))
    assert_terms(found)
    stage = found.stages[0]
    foreground = stage.theirs[0].softmax(-1)[:, :-1]
    chosen = foreground.amax(-1) >= 0.2
    rois, label = stage.rois[chosen, 1:], foreground[chosen].argmax(-1)
    deltas = stage.theirs[1][chosen].view(-1, 3, 4)[torch.arange(len(label)), label]
    ours, theirs = (head.bbox_coder for head in stage.heads)
    expected = ours.encode(rois, theirs.decode(rois, deltas))
    assert len(expected) >= 3
    torch.testing.assert_close(sides[0][1], expected, rtol=1e-3, atol=1e-3)


@CODERS
def test_giou_decodes_each_side_with_its_own_coder(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, distill, changes
):
    student = make_rcnn_student(teacher=save_teacher(faster_rcnn(changes)), box='giou')
    assert_terms(distill(student, make_batch(student)), mode='giou')


def test_boxes_can_be_left_alone(make_rcnn_student, make_batch, distill):
    student = make_rcnn_student(box=None)
    found = distill(student, make_batch(student))
    assert set(found.terms) == {'cls'}
    assert found.terms['cls'].item() == pytest.approx(
        written_out(found.stages[0], 2.0, 0.2, 'l1')[0], rel=1e-4
    )


def objectness_written_out(maps, T, threshold):
    """The focal-logit term (focal = 1) of one class, anchor by anchor."""
    total, count = 0.0, 0
    for level_s, level_t in zip(*maps, strict=True):
        pairs = zip(level_s.flatten().tolist(), level_t.flatten().tolist(), strict=True)
        for s, t in pairs:
            if sigmoid(t) < threshold:
                continue
            count += 1
            q, p = sigmoid(s / T), sigmoid(t / T)
            total -= T**2 * abs(q - p) * (p * math.log(q) + (1 - p) * math.log(1 - q))
    return total / max(count, 1), count


@pytest.mark.parametrize('T', [1.0, 2.0])
def test_objectness_equals_a_loop_over_every_anchor(make_rcnn_student, make_batch, distill, T):
    student = make_rcnn_student(rpn=True)
    found = distill(student, make_batch(student), T)
    assert set(found.terms) == {'cls', 'bbox', 'rpn'}
    expected, count = objectness_written_out(found.objectness, T, 0.2)
    total = sum(level.numel() for level in found.objectness[0])
    assert 0.05 * total < count < 0.95 * total
    assert found.terms['rpn'].item() == pytest.approx(expected, rel=1e-4)
    assert_terms(found, T)


def test_equal_objectness_gives_zero(make_rcnn_student, make_batch, distill):
    student = make_rcnn_student(rpn=True).eval()
    student.load_state_dict(torch.load(student.teacher.checkpoint)['state_dict'])
    found = distill(student, make_batch(student))
    assert found.terms['rpn'].item() == pytest.approx(0, abs=1e-4)


def test_objectness_reaches_the_rpn_and_nothing_else_does(make_rcnn_student, make_batch, distill):
    student = make_rcnn_student(rpn=True)
    terms = distill(student, make_batch(student)).terms
    (terms['cls'] + terms['bbox']).backward(retain_graph=True)
    assert student.rpn_head.rpn_cls.weight.grad is None
    terms['rpn'].backward()
    assert student.rpn_head.rpn_cls.weight.grad.any()


C4 = {
    'backbone.base_channels': 16,
    'backbone.out_indices': (2,),
    'neck': None,
    'rpn_head.in_channels': 64,
    'rpn_head.anchor_generator.strides': [16],
    'roi_head.shared_head': dict(type='ResLayer', depth=18, stage=1, stride=2),
    'roi_head.bbox_roi_extractor.roi_layer.output_size': 6,
    'roi_head.bbox_roi_extractor.out_channels': 64,
    'roi_head.bbox_roi_extractor.featmap_strides': [16],
    'roi_head.bbox_head': dict(
        _delete_=True,
        type='BBoxHead',
        with_avg_pool=True,
        roi_feat_size=3,
        in_channels=128,
        num_classes=3,
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    ),
}


@pytest.mark.parametrize('sides', ['both', 'student', 'teacher'])
def test_shared_head_of_a_c4_detector(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, distill, sides
):
    c4, fpn = faster_rcnn(C4), faster_rcnn()
    ours, theirs = {'both': (c4, c4), 'student': (c4, fpn), 'teacher': (fpn, c4)}[sides]
    student = make_rcnn_student(ours, save_teacher(theirs))
    found = distill(student, make_batch(student))
    assert_terms(found)
    sum(found.terms.values()).backward()
    if sides != 'teacher':
        assert student.roi_head.shared_head.layer2[0].conv1.weight.grad.any()


def roi_size(size):
    return {
        'roi_head.bbox_roi_extractor.roi_layer.output_size': size,
        'roi_head.bbox_head.roi_feat_size': size,
    }


def test_teacher_pools_the_rois_at_its_own_size(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, distill
):
    student = make_rcnn_student(teacher=save_teacher(faster_rcnn(roi_size(5))))
    found = distill(student, make_batch(student))
    assert_terms(found)
    assert all(term.isfinite() and term > 0 for term in found.terms.values())


def test_batches_with_padding_and_sizes_that_are_not_square(make_rcnn_student, make_batch, distill):
    student = make_rcnn_student(box='giou')
    found = distill(student, make_batch(student, sizes=((32, 96), (64, 70))))
    assert_terms(found, mode='giou')


def test_teacher_that_normalises_differently(
    make_rcnn_student, save_teacher, faster_rcnn, make_raw, distill, plain_teacher
):
    look = {
        'data_preprocessor.mean': [103.53, 116.28, 123.675],
        'data_preprocessor.std': [1.0, 1.0, 1.0],
        'data_preprocessor.bgr_to_rgb': False,
    }
    student = make_rcnn_student(teacher=save_teacher(faster_rcnn(look)))
    data = student.data_preprocessor(make_raw(), True)
    assert_terms(distill(student, (data['inputs'], data['data_samples'])))


@pytest.mark.parametrize('mode', ['l1', 'giou'])
def test_nobody_confident_gives_zero_and_no_gradient(make_rcnn_student, make_batch, distill, mode):
    student = make_rcnn_student(score_thr=0.9999, box=mode)
    terms = distill(student, make_batch(student)).terms
    assert [term.item() for term in terms.values()] == [0, 0]
    sum(terms.values()).backward()
    assert all(p.grad is None or not p.grad.any() for p in student.parameters())


FAMILY_AND_FORM = pytest.mark.parametrize(
    ('family', 'mode'), [('FasterRCNN', 'l1'), ('CascadeRCNN', 'giou')]
)


def without_objects(batch, images):
    for image in images:
        batch[1][image].gt_instances = batch[1][image].gt_instances[:0]
    return batch


def without_proposals(student, images, monkeypatch):
    """The RPN of the student proposes nothing in these images."""
    predict = student.rpn_head.predict_by_feat

    def predict_less(*args, **kwargs):
        proposals = predict(*args, **kwargs)
        return [p[:0] if i in images else p for i, p in enumerate(proposals)]

    monkeypatch.setattr(student.rpn_head, 'predict_by_feat', predict_less)


@pytest.mark.parametrize(('mode', 'images'), [('l1', [0]), ('l1', [0, 1]), ('giou', [1])])
def test_images_without_any_object(make_rcnn_student, make_batch, distill, images, mode):
    student = make_rcnn_student(box=mode)
    found = distill(student, without_objects(make_batch(student), images))
    assert_terms(found, mode=mode)
    sum(found.terms.values()).backward()


@pytest.mark.parametrize('mode', ['l1', 'giou'])
def test_an_image_without_proposals_counts_only_its_objects(
    make_rcnn_student, make_batch, distill, monkeypatch, mode
):
    student = make_rcnn_student(box=mode)
    without_proposals(student, [0], monkeypatch)
    found = distill(student, make_batch(student))
    assert (found.stages[0].rois[:, 0] == 0).sum() == 2  # its two objects
    assert_terms(found, mode=mode)


@FAMILY_AND_FORM
def test_no_rois_in_one_image_leave_the_other(
    detector, make_rcnn_student, make_batch, distill, monkeypatch, family, mode
):
    student = make_rcnn_student(detector(family), box=mode)
    without_proposals(student, [0], monkeypatch)
    found = distill(student, without_objects(make_batch(student), [0]))
    assert (found.stages[0].rois[:, 0] == 1).all()
    assert all(term.isfinite() for term in found.terms.values())
    if family == 'FasterRCNN':
        assert_terms(found, mode=mode)
    sum(found.terms.values()).backward()


@FAMILY_AND_FORM
def test_no_rois_at_all_give_zero_and_a_gradient_of_zero(
    detector, make_rcnn_student, make_batch, monkeypatch, family, mode
):
    student = make_rcnn_student(detector(family), box=mode)
    student.set_distillation(1.0, 2.0)
    without_proposals(student, [0, 1], monkeypatch)
    losses = student.loss(*without_objects(make_batch(student), [0, 1]))
    terms = [value for name, value in losses.items() if 'distill' in name]
    assert [term.item() for term in terms] == [0] * (6 if family == 'CascadeRCNN' else 2)
    student.parse_losses(losses)[0].backward()
    gradients = [p.grad for p in student.roi_head.parameters() if p.grad is not None]
    assert all(not gradient.any() for gradient in gradients)
    assert student.rpn_head.rpn_cls.weight.grad.isfinite().all()


@pytest.mark.parametrize('mode', ['l1', 'giou'])
def test_gradients_reach_only_the_student(make_rcnn_student, make_batch, distill, mode):
    student = make_rcnn_student(box=mode, rpn=True)
    sum(distill(student, make_batch(student)).terms.values()).backward()
    head = student.roi_head.bbox_head
    for reached in (head.fc_cls, head.fc_reg, student.rpn_head.rpn_cls, student.backbone.conv1):
        assert reached.weight.grad.any()
    assert all(p.grad is None for p in student.teacher.model.parameters())


def test_each_side_answers_once_a_loss(make_rcnn_student, make_batch):
    student = make_rcnn_student(rpn=True)
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    calls = []
    teacher = student.teacher.model
    for side in (student, teacher):
        for name in ('backbone', 'neck', 'rpn_head', 'roi_head.bbox_head'):
            side.get_submodule(name).register_forward_hook(
                lambda *_, who=(side is teacher, name): calls.append(
                    (*who, torch.is_grad_enabled())
                )
            )
    student.loss(*make_batch(student))
    assert len(calls) == len(set(calls)) == 8
    assert all(grad != is_teacher for is_teacher, _, grad in calls)


@pytest.mark.parametrize(
    ('dtype', 'torchvision'),
    [
        (torch.bfloat16, True),
        pytest.param(torch.float16, True, marks=pytest.mark.slow),
        pytest.param(torch.float16, False, marks=pytest.mark.slow),
    ],
)
def test_amp_is_near_float32(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, monkeypatch, dtype, torchvision
):
    """On a CPU, mmcv's RoIAlign knows no bfloat16 (torchvision's does), and its nms no half."""
    config = faster_rcnn({'roi_head.bbox_roi_extractor.roi_layer.use_torchvision': torchvision})
    # All proposals are sampled, and none is suppressed: rounding does not choose others.
    keep = {'nms': dict(type='nms', iou_threshold=1.0), 'nms_pre': 1000, 'max_per_img': 1000}
    config['train_cfg']['rpn_proposal'].update(keep)
    config['train_cfg']['rcnn']['sampler']['num'] = 10_000
    student = make_rcnn_student(config, save_teacher(config), rpn=True).eval()
    propose = student.rpn_head.predict_by_feat

    def propose_in_float32(*maps, **kwargs):
        return propose(*([level.float() for level in side] for side in maps), **kwargs)

    monkeypatch.setattr(student.rpn_head, 'predict_by_feat', propose_in_float32)
    contracts.assert_amp_is_near_float32(student, make_batch(student), dtype)


def test_head_adds_nothing_to_a_checkpoint():
    head = MODELS.build(
        {
            'type': 'RoIDistillHead',
            'loss_cls': {'type': 'KLDistillLoss'},
            'loss_bbox': {'type': 'mmdet.L1Loss'},
            'loss_rpn': {'type': 'FocalLogitDistillLoss'},
        }
    )
    assert isinstance(head, RoIDistillHead)
    assert not head.state_dict() and not list(head.parameters()) and not list(head.buffers())


# Cascade R-CNN.

STAGE_WEIGHTS = (1, 0.5, 0.25)


@pytest.mark.parametrize('mode', ['l1', 'giou'])
@pytest.mark.parametrize('teacher', ['CascadeRCNN', 'FasterRCNN'])
def test_every_stage_is_compared_and_weighted(
    detector, make_rcnn_student, save_teacher, make_batch, distill, mode, teacher
):
    """By the same stage of a cascade, or by the one stage of a Faster R-CNN."""
    arguments = save_teacher(detector(teacher))
    student = make_rcnn_student(detector('CascadeRCNN'), arguments, box=mode)
    found = distill(student, make_batch(student))
    assert len(found.stages) == 3
    assert len(found.terms) == 6
    judges = {id(stage.heads[1]) for stage in found.stages}
    assert len(judges) == (3 if teacher == 'CascadeRCNN' else 1)
    assert not torch.equal(found.stages[0].rois, found.stages[1].rois)
    for index, (stage, weight) in enumerate(zip(found.stages, STAGE_WEIGHTS, strict=True)):
        cls, bbox, labels = written_out(stage, 2.0, 0.2, mode)
        assert labels
        assert found.terms[f's{index}.cls'].item() == pytest.approx(weight * cls, rel=1e-4)
        assert found.terms[f's{index}.bbox'].item() == pytest.approx(weight * bbox, rel=1e-4)


@pytest.mark.parametrize('last', [0, 1])
def test_a_stage_that_did_not_run_gives_zero(
    detector, make_rcnn_student, make_batch, distill, monkeypatch, last
):
    student = make_rcnn_student(detector('CascadeRCNN'))
    head = student.roi_head.bbox_head[last]
    monkeypatch.setattr(head, 'refine_bboxes', lambda *args: None)
    found = distill(student, make_batch(student))
    assert len(found.stages) == last + 1
    assert len(found.terms) == 6
    for index in range(3):
        for name in ('cls', 'bbox'):
            term = found.terms[f's{index}.{name}']
            assert (term > 0) == (index <= last)
            assert term.shape == ()
    sum(found.terms.values()).backward()
    assert student.roi_head.bbox_head[last].fc_cls.weight.grad.any()
    assert student.roi_head.bbox_head[last + 1].fc_cls.weight.grad is None


SHARED_MASK = {
    'roi_head.mask_roi_extractor': None,
    'roi_head.mask_head': dict(
        type='FCNMaskHead', num_convs=1, in_channels=16, conv_out_channels=8, num_classes=3
    ),
}


@pytest.mark.parametrize('family', ['MaskRCNN', 'CascadeRCNN'])
def test_masks_that_share_the_roi_extractor_do_not_mix_in(
    detector, make_rcnn_student, save_teacher, make_batch, distill, family
):
    """The extractor then runs for the masks too; what counts is the call for the boxes."""
    config = detector(family, SHARED_MASK)
    stages = config['train_cfg']['rcnn']
    for stage in stages if isinstance(stages, list) else [stages]:
        stage['mask_size'] = 14
    student = make_rcnn_student(config, save_teacher(detector('FasterRCNN')))
    found = distill(student, make_batch(student, masks=True))
    for index, (stage, weight) in enumerate(zip(found.stages, STAGE_WEIGHTS, strict=False)):
        prefix = f's{index}.' if family == 'CascadeRCNN' else ''
        assert len(stage.rois) == len(stage.ours[0])
        cls, bbox, _ = written_out(stage, 2.0, 0.2, 'l1')
        assert found.terms[f'{prefix}cls'].item() == pytest.approx(weight * cls, rel=1e-4)
        assert found.terms[f'{prefix}bbox'].item() == pytest.approx(weight * bbox, rel=1e-4)


OHEM = {'train_cfg.rcnn.sampler.type': 'OHEMSampler', 'train_cfg.rcnn.sampler.num': 8}


DOUBLE = {
    'roi_head.type': 'DoubleHeadRoIHead',
    'roi_head.reg_roi_scale_factor': 1.3,
    'roi_head.bbox_head': dict(
        _delete_=True,
        type='DoubleConvFCBBoxHead',
        num_convs=1,
        num_fcs=1,
        in_channels=16,
        conv_out_channels=8,
        fc_out_channels=8,
        roi_feat_size=7,
        num_classes=3,
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False),
    ),
}


@pytest.mark.parametrize(
    'changes', [OHEM, DOUBLE, {**OHEM, **DOUBLE}], ids=['mining', 'double', 'both']
)
def test_the_teacher_is_asked_about_the_rois_of_the_last_pass(
    make_rcnn_student, save_teacher, faster_rcnn, make_batch, distill, changes
):
    """OHEM runs the box head on its candidates first, and Double Head pools twice a pass."""
    student = make_rcnn_student(faster_rcnn(changes), save_teacher(faster_rcnn()))
    features = []
    student.neck.register_forward_hook(lambda *args: features.append(args[-1]))
    found = distill(student, make_batch(student))
    stage = found.stages[0]
    again = student.roi_head._bbox_forward(features[0], stage.rois)
    torch.testing.assert_close(again['cls_score'], stage.ours[0])
    assert_terms(found)
    sum(found.terms.values()).backward()
    assert student.roi_head.bbox_head.fc_cls.weight.grad.any()


def test_a_roi_head_that_calls_forward_itself_is_told_the_tap(
    make_rcnn_student, make_batch, monkeypatch
):
    student = make_rcnn_student()
    kind = type(student.roi_head.bbox_head)
    monkeypatch.setattr(kind, '__call__', lambda self, *args: self.forward(*args))
    student.set_distillation(1.0, 2.0)
    with pytest.raises(W2SError, match=r"Nothing was recorded at 'roi_head\.bbox_head'"):
        student.loss(*make_batch(student))


def test_two_heads_compare_the_same_rois(make_rcnn_student, make_batch):
    heads = [{'type': 'RoIDistillHead'}, {'type': 'RoIDistillHead', 'loss_cls': REVERSE}]
    student = make_rcnn_student(distill_head=heads)
    student.set_distillation(1.0, 2.0)
    losses = student.loss(*make_batch(student))
    terms = {name: value for name, value in losses.items() if 'distill' in name}
    assert terms.keys() == {'loss_distill_0.cls', 'loss_distill_1.cls'}
    assert terms['loss_distill_0.cls'] != terms['loss_distill_1.cls']
    assert all(term > 0 for term in terms.values())


REVERSE = {'type': 'KLDistillLoss', 'reverse': True}
