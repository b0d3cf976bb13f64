import math

import pytest
import torch
from mmengine.registry import MODELS

from tests import contracts
from tests.detection.boxes import decode, giou, sigmoid
from w2s_mm.core.tape import record
from w2s_mm.detection import DenseDistillHead
from w2s_mm.detection.dense import dense_answer
from w2s_mm.utils.errors import W2SError

C, A = 3, 2


def maps_of(model, inputs):
    with torch.no_grad():
        return model(inputs, mode='tensor')[:2]


def distill(student, batch, temperature=2.0):
    """The two terms, and the student's and teacher's maps they come from."""
    student.prepare_teacher()
    student.set_distillation(1.0, temperature)
    with record(student, ['bbox_head']) as tape:
        losses = student.loss(*batch)
    ours = tape['bbox_head'][-1].output[:2]
    images = student.teacher.see(student, *batch)
    theirs = maps_of(student.teacher.model, images)
    return losses['loss_distill_cls'], losses.get('loss_distill_bbox'), ours, theirs


def priors(maps):
    """Every prior of every image in MMDetection's order: image, level, row, column, anchor."""
    for image in range(maps[0].shape[0]):
        for level, scores in enumerate(maps):
            for y in range(scores.shape[2]):
                for x in range(scores.shape[3]):
                    for anchor in range(A):
                        yield image, level, y, x, anchor


def at(maps, channels, place):
    image, level, y, x, anchor = place
    column = maps[level][image, anchor * channels : (anchor + 1) * channels, y, x]
    return column.double().tolist()


def anchor_box(head, place):
    """Written out from base size, ratio and stride: centres on the grid, area kept by the ratio."""
    _, level, y, x, anchor = place
    stride = head.prior_generator.strides[level][0]
    ratio = head.prior_generator.ratios[anchor].item()
    side = 2 * stride  # octave_base_scale
    height, width = side * math.sqrt(ratio), side / math.sqrt(ratio)
    return [x * stride - width / 2, y * stride - height / 2,
            x * stride + width / 2, y * stride + height / 2]  # fmt: skip


def written_out(student, ours, theirs, T, focal, threshold, mode):
    """Both terms, and how many priors take part, prior by prior."""
    cls = bbox = 0.0
    count = 0
    for place in priors(ours[0]):
        target = at(theirs[0], C, place)
        weight = max(map(sigmoid, target))
        if weight < threshold:
            continue
        count += 1
        for s, t in zip(at(ours[0], C, place), target, strict=True):
            q, p = sigmoid(s / T), sigmoid(t / T)
            bce = -(p * math.log(q) + (1 - p) * math.log(1 - q))
            cls += T**2 * abs(q - p) ** focal * bce
        deltas = at(ours[1], 4, place), at(theirs[1], 4, place)
        if mode == 'l1':
            bbox += weight * sum(abs(a - b) for a, b in zip(*deltas, strict=True))
        else:
            box = anchor_box(student.bbox_head, place)
            heads = student.bbox_head, student.teacher.model.bbox_head
            bbox += weight * (1 - giou(*(decode(box, d, h.bbox_coder.stds)
                                         for d, h in zip(deltas, heads, strict=True))))  # fmt: skip
    n = max(count, 1)
    return cls / n, bbox / n, count


@pytest.mark.parametrize('mode', ['l1', 'giou'])
@pytest.mark.parametrize(('T', 'focal', 'threshold'), [(2.0, 1.0, 0.2), (1.0, 2.0, 0.5)])
def test_terms_equal_a_loop_over_every_prior(make_student, make_batch, mode, T, focal, threshold):
    student = make_student(score_thr=threshold, focal=focal, box=mode)
    cls, bbox, ours, theirs = distill(student, make_batch(student), T)
    expected_cls, expected_bbox, count = written_out(
        student, ours, theirs, T, focal, threshold, mode
    )
    total = 2 * A * (8 * 8 + 4 * 4)
    assert 0.05 * total < count < 0.95 * total  # both sides of the threshold are there
    assert cls.item() == pytest.approx(expected_cls, rel=1e-4)
    assert bbox.item() == pytest.approx(expected_bbox, rel=1e-4)


def test_images_that_are_not_square(make_student, make_batch):
    student = make_student(box='giou')
    batch = make_batch(student, sizes=((32, 96), (64, 70)))
    cls, bbox, ours, theirs = distill(student, batch)
    expected_cls, expected_bbox, _ = written_out(student, ours, theirs, 2.0, 1.0, 0.2, 'giou')
    assert cls.item() == pytest.approx(expected_cls, rel=1e-4)
    assert bbox.item() == pytest.approx(expected_bbox, rel=1e-4)


def test_same_priors_as_mmdetections_own_prediction(make_student, make_batch):
    """Teacher boxes compared are those that MMDetection's predict keeps at the threshold."""
    student = make_student(box='giou')
    compared = []
    student.distill_heads[0].loss_bbox.register_forward_pre_hook(
        lambda _, args: compared.append((args[1], args[2][:, 0]))
    )
    batch = make_batch(student)
    *_, theirs = distill(student, batch)
    head = student.teacher.model.bbox_head
    config = head.test_cfg.copy()
    config.update(score_thr=0.2, nms_pre=10_000)
    predicted = head.predict_by_feat(
        *theirs, batch_img_metas=[s.metainfo for s in batch[1]], cfg=config, with_nms=False
    )
    best = {}  # MMDetection gives a prior once for every class above the threshold
    for result in predicted:
        for box, score in zip(result.bboxes.tolist(), result.scores.tolist(), strict=True):
            best[tuple(box)] = max(best.get(tuple(box), 0), score)
    expected = torch.tensor([[*box, score] for box, score in best.items()])
    boxes, weight = compared[0]
    clipped = boxes.clamp(min=0, max=64)
    inside = (clipped[:, 2:] > clipped[:, :2]).all(-1)  # MMDetection drops what is left empty
    found = torch.cat([clipped, weight[:, None]], 1)[inside]
    apart = (found[:, None] - expected).abs()
    assert len(expected) > 100
    assert apart.amax(-1).amin(0).max() < 1e-3  # each predicted box and score was compared,
    assert apart[..., :4].amax(-1).amin(1).max() < 1e-3  # and no other box


@pytest.mark.parametrize('mode', ['l1', 'giou'])
def test_nobody_confident_gives_zero_and_no_gradient(make_student, make_batch, mode):
    student = make_student(score_thr=0.9999, box=mode)
    cls, bbox, *_ = distill(student, make_batch(student))
    assert cls.item() == bbox.item() == 0
    (cls + bbox).backward()
    assert all(p.grad is None or not p.grad.any() for p in student.parameters())


def test_boxes_can_be_left_alone(make_student, make_batch):
    student = make_student(box=None)
    cls, bbox, *_ = distill(student, make_batch(student))
    assert cls > 0 and bbox is None


@pytest.mark.parametrize('mode', ['l1', 'giou'])
def test_gradients_reach_only_the_student(make_student, make_batch, mode):
    student = make_student(box=mode)
    cls, bbox, *_ = distill(student, make_batch(student))
    (cls + bbox).backward()
    assert student.bbox_head.retina_cls.weight.grad.any()
    assert student.bbox_head.retina_reg.weight.grad.any()
    assert student.backbone.conv1.weight.grad.any()
    assert all(p.grad is None for p in student.teacher.model.parameters())


def test_teacher_answers_once_a_loss(make_student, make_batch):
    student = make_student()
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    calls, grad = [], []
    student.teacher.model.register_forward_hook(lambda *_: calls.append(1))
    student.teacher.model.register_forward_hook(lambda *_: grad.append(torch.is_grad_enabled()))
    for expected in (1, 2):
        student.loss(*make_batch(student))
        assert len(calls) == expected
    assert not any(grad)


@pytest.mark.parametrize('dtype', contracts.AMP_BOUNDS)
@pytest.mark.parametrize('mode', ['l1', 'giou'])
def test_amp_is_near_float32(make_student, make_batch, mode, dtype):
    student = make_student(box=mode)
    contracts.assert_amp_is_near_float32(student, make_batch(student), dtype)


def refusal(make_student, make_teacher, teacher, student=None):
    student = make_student(student, teacher=make_teacher(teacher))
    with pytest.raises(W2SError) as refused:
        student.prepare_teacher()
    return str(refused.value)


@pytest.mark.parametrize(
    ('changes', 'parts'),
    [
        ({'bbox_head.num_classes': 5}, ['number of classes', 'teacher 5', 'student 3']),
        (
            {'bbox_head.anchor_generator.ratios': [0.5, 1.0, 2.0]},
            ['priors per location', 'teacher [3, 3]', 'student [2, 2]'],
        ),
        (
            {'bbox_head.anchor_generator.ratios': [1.0, 2.0]},
            ['base anchors', 'teacher [', 'student [', '-11.314', '-5.657'],
        ),
        (
            {'bbox_head.anchor_generator.octave_base_scale': 4},
            ['base anchors', '-22.627', '-11.314'],
        ),
        (
            {'bbox_head.anchor_generator.strides': [16, 32]},
            ['strides', 'teacher [(16, 16), (32, 32)]', 'student [(8, 8), (16, 16)]'],
        ),
        (
            {
                'neck.num_outs': 3,
                'bbox_head.anchor_generator.strides': [8, 16, 32],
            },
            ['strides', '(32, 32)'],
        ),
    ],
    ids=['classes', 'anchor count', 'ratios', 'scale', 'strides', 'levels'],
)
def test_mismatch_is_refused_with_both_sides(make_student, make_teacher, changes, parts):
    message = refusal(make_student, make_teacher, changes)
    for part in parts:
        assert part in message


def test_refusal_stays_readable(make_student, make_teacher):
    """Nine anchors on five levels are 45 boxes a side; the message shows what differs."""
    ratios = {'bbox_head.anchor_generator.ratios': [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]}
    shifted = {'bbox_head.anchor_generator.ratios': [0.25, 0.5, 1.0, 2.0, 4.0, 9.0]}
    message = refusal(make_student, make_teacher, shifted, student=ratios)
    assert len(message) < 1000


STDS = {'bbox_head.bbox_coder.target_stds': [1.0, 1.0, 1.0, 1.0]}


MEANS = {'bbox_head.bbox_coder.target_means': [0.1, -0.1, 0.2, 0.0]}


@pytest.mark.parametrize('changes', [STDS, MEANS, {**STDS, **MEANS}], ids=['stds', 'means', 'both'])
def test_deltas_of_another_normalisation_are_converted(
    make_student, make_teacher, make_batch, changes
):
    """What is compared is the teacher's box as the student's coder would encode it."""
    student = make_student(teacher=make_teacher(changes))
    sides = []
    student.distill_heads[0].loss_bbox.register_forward_pre_hook(lambda _, args: sides.append(args))
    *_, theirs = distill(student, make_batch(student))
    head = student.teacher.model.bbox_head
    anchors = torch.cat(
        head.prior_generator.grid_priors([m.shape[-2:] for m in theirs[0]], device='cpu')
    )
    deltas = torch.cat([m.permute(0, 2, 3, 1).reshape(2, -1, 4) for m in theirs[1]], 1).flatten(
        0, 1
    )
    scores = torch.cat([m.permute(0, 2, 3, 1).reshape(2, -1, C) for m in theirs[0]], 1).flatten(
        0, 1
    )
    chosen = scores.sigmoid().amax(-1) >= 0.2
    anchors = anchors.repeat(2, 1)[chosen]
    boxes = head.bbox_coder.decode(anchors, deltas[chosen])
    expected = student.bbox_head.bbox_coder.encode(anchors, boxes)
    # Decoding cuts off extreme sizes; the rest comes back.
    kept = (deltas[chosen] * deltas.new_tensor(head.bbox_coder.stds)).abs().amax(-1) < 2
    assert kept.sum() > 100
    torch.testing.assert_close(sides[0][1][kept], expected[kept], rtol=1e-3, atol=1e-3)


TBLR = {
    'bbox_head.bbox_coder': dict(_delete_=True, type='TBLRBBoxCoder', normalizer=4.0),
}


def test_other_box_coder_is_refused_for_deltas(make_student, make_teacher):
    message = refusal(make_student, make_teacher, TBLR)
    for part in ('box coder', 'TBLRBBoxCoder', 'DeltaXYWHBBoxCoder', "box_form='corners'"):
        assert part in message


@pytest.mark.parametrize(
    'changes',
    [STDS, MEANS],
    ids=['stds', 'means'],
)
def test_giou_decodes_each_side_with_its_own_coder(make_student, make_teacher, make_batch, changes):
    """The same numbers under another coder are other boxes."""
    student = make_student(teacher=make_teacher(changes), box='giou')
    batch = make_batch(student)
    sides = []
    student.distill_heads[0].loss_bbox.register_forward_pre_hook(lambda _, args: sides.append(args))
    *_, ours, theirs = distill(student, batch)
    compared, teacher_boxes = sides[0][:2]
    head = student.teacher.model.bbox_head
    sizes = [m.shape[-2:] for m in ours[0]]
    anchors = torch.cat(head.prior_generator.grid_priors(sizes, device='cpu'))
    flat = [torch.cat([m.permute(0, 2, 3, 1).reshape(2, -1, 4) for m in side[1]], 1)
            for side in (ours, theirs)]  # fmt: skip
    scores = torch.cat([m.permute(0, 2, 3, 1).reshape(2, -1, C) for m in theirs[0]], 1)
    chosen = scores.sigmoid().amax(-1) >= 0.2
    coders = student.bbox_head.bbox_coder, head.bbox_coder
    expected = [
        torch.stack([coder.decode(anchors, image) for image in side])[chosen]
        for coder, side in zip(coders, flat, strict=True)
    ]
    torch.testing.assert_close(compared, expected[0])
    torch.testing.assert_close(teacher_boxes, expected[1])


SOFTMAX = {'bbox_head.loss_cls': dict(_delete_=True, type='CrossEntropyLoss', use_sigmoid=False)}


def test_softmax_heads_are_not_compared_by_sigmoid_scores(make_student, make_teacher):
    assert 'sigmoid' in refusal(make_student, make_teacher, SOFTMAX)
    both = refusal(make_student, make_teacher, SOFTMAX, student=SOFTMAX)
    assert 'has those of a softmax' in both and 'KLDistillLoss' in both


def test_softmax_term_equals_a_loop_over_every_prior(make_student, make_teacher, make_batch):
    """KL over classes and background, where a class (not the background) reaches the threshold."""
    T, threshold, C = 2.0, 0.4, 4
    student = make_student(
        SOFTMAX,
        make_teacher(SOFTMAX),
        distill_head={
            'type': 'DenseDistillHead',
            'score_thr': threshold,
            'loss_cls': {'type': 'KLDistillLoss'},
            'loss_bbox': {'type': 'mmdet.L1Loss'},
        },
    )
    cls, bbox, ours, theirs = distill(student, make_batch(student), T)
    expected_cls, expected_bbox, count = 0.0, 0.0, 0
    for place in priors(ours[0]):
        target = torch.tensor(at(theirs[0], C, place), dtype=torch.float64)
        weight = target.softmax(0)[:-1].max().item()
        if weight < threshold:
            continue
        count += 1
        p = (target / T).softmax(0).tolist()
        own = torch.tensor(at(ours[0], C, place), dtype=torch.float64)
        q = (own / T).softmax(0).tolist()
        expected_cls += T**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        deltas = at(ours[1], 4, place), at(theirs[1], 4, place)
        expected_bbox += weight * sum(abs(a - b) for a, b in zip(*deltas, strict=True))
    assert 0.05 < count / (2 * A * (8 * 8 + 4 * 4)) < 0.95
    assert cls.item() == pytest.approx(expected_cls / count, rel=1e-4)
    assert bbox.item() == pytest.approx(expected_bbox / count, rel=1e-4)


def test_teacher_without_a_dense_head_is_refused(make_student, retinanet, build, tmp_path):
    config = retinanet()
    config = {
        'type': 'FasterRCNN',
        'data_preprocessor': config['data_preprocessor'],
        'backbone': config['backbone'],
        'neck': config['neck'],
        'rpn_head': {
            'type': 'RPNHead',
            'in_channels': 16,
            'feat_channels': 16,
            'anchor_generator': config['bbox_head']['anchor_generator'],
        },
        'roi_head': {'type': 'StandardRoIHead'},
        'train_cfg': None,
        'test_cfg': {'rpn': None, 'rcnn': None},
    }
    model = build(config)
    torch.save(model.state_dict(), tmp_path / 'rcnn.pth')
    teacher = {'config': config, 'checkpoint': str(tmp_path / 'rcnn.pth')}
    student = make_student(teacher=teacher)
    with pytest.raises(W2SError, match=r"FasterRCNN's bbox_head has no dense head"):
        student.prepare_teacher()


def test_maps_of_another_shape_are_refused(make_student, make_batch):
    student = make_student()
    student.set_distillation(1.0, 2.0)
    with record(student, ['bbox_head']) as tape:
        student.loss(*make_batch(student))
    output = tape['bbox_head'][-1].output[:2]
    output = [[m[..., :-1] for m in side] for side in output]
    smaller = dense_answer(output, student.bbox_head, 0.2, with_boxes=True)
    with pytest.raises(W2SError, match=r'teacher .*8, 7.*student .*8, 8'):
        student.distill_heads[0].loss(student, tape, smaller, 2.0)


def test_head_adds_nothing_to_a_checkpoint():
    head = MODELS.build(
        {
            'type': 'DenseDistillHead',
            'loss_cls': {'type': 'FocalLogitDistillLoss'},
            'loss_bbox': {'type': 'mmdet.L1Loss'},
        }
    )
    assert isinstance(head, DenseDistillHead)
    assert not head.state_dict() and not list(head.parameters()) and not list(head.buffers())


TWO_HEADS = [
    {'type': 'DenseDistillHead', 'score_thr': 0.2, 'loss_bbox': {'type': 'mmdet.L1Loss'}},
    {
        'type': 'DenseDistillHead',
        'score_thr': 0.4,
        'weight': 0.5,
        'loss_bbox': {'type': 'mmdet.GIoULoss'},
        'box_form': 'corners',
    },
]


def test_two_heads_give_the_terms_of_each_and_ask_the_teacher_once(
    make_student, make_teacher, make_batch
):
    teacher = make_teacher()
    student = make_student(teacher=teacher, distill_head=TWO_HEADS)
    student.prepare_teacher()
    calls = []
    student.teacher.model.register_forward_hook(lambda *_: calls.append(1))
    student.set_distillation([1.0, 3.0], [2.0, 1.0])
    batch = make_batch(student)
    found = student.loss(*batch)
    assert len(calls) == 1
    names = {name for name in found if 'distill' in name}
    assert names == {f'loss_distill_{i}.{term}' for i in (0, 1) for term in ('cls', 'bbox')}
    for index, (head, weight, T) in enumerate(zip(TWO_HEADS, (1.0, 1.5), (2.0, 1.0), strict=True)):
        alone = make_student(teacher=teacher, distill_head={**head, 'weight': 1.0})
        alone.set_distillation(1.0, T)
        losses = alone.loss(*batch)
        for term in ('cls', 'bbox'):
            expected = weight * losses[f'loss_distill_{term}']
            assert expected > 0
            torch.testing.assert_close(found[f'loss_distill_{index}.{term}'], expected)


def test_a_head_of_weight_zero_takes_no_part(make_student, make_batch):
    student = make_student(distill_head=TWO_HEADS)
    student.set_distillation([0.0, 1.0], 2.0)
    names = {name for name in student.loss(*make_batch(student)) if 'distill' in name}
    assert names == {'loss_distill_1.cls', 'loss_distill_1.bbox'}


def test_a_detector_that_calls_forward_itself_is_told_the_tap(
    make_student, make_batch, monkeypatch
):
    """``self.forward(...)`` runs no forward hook: there is nothing to compare."""
    student = make_student()
    head = student.bbox_head
    monkeypatch.setattr(type(head), '__call__', lambda self, *args: self.forward(*args))
    student.set_distillation(1.0, 2.0)
    with pytest.raises(W2SError, match="Nothing was recorded at 'bbox_head'"):
        student.loss(*make_batch(student))
