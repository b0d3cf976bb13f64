"""Boxes as each dense head writes them, compared with what MMDetection itself decodes."""

import math

import pytest
import torch
from mmdet.models.dense_heads import FoveaHead, PAAHead, TOODHead, YOLACTHead, YOLOXHead
from mmdet.models.task_modules.coders import (
    DeltaXYWHBBoxCoder,
    DistancePointBBoxCoder,
    LegacyDeltaXYWHBBoxCoder,
    TBLRBBoxCoder,
)
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from tests.detection.boxes import random_boxes
from w2s_mm.detection.box_codes import box_code, comparable, described, rescaled
from w2s_mm.detection.dense import check_dense
from w2s_mm.detection.places import grids_of, places_of, priors_and_strides, rows
from w2s_mm.losses import FocalLogitDistillLoss
from w2s_mm.utils.errors import W2SError

CASES = {
    'RetinaNet': ('RetinaNet', {}),
    'ATSS': ('ATSS', {}),
    'FCOS in strides': ('FCOS', {'bbox_head.norm_on_bbox': True}),
    'FCOS in pixels': ('FCOS', {'bbox_head.norm_on_bbox': False}),
    'GFL': ('GFL', {}),
    'RTMDet': ('RTMDet', {}),
    'RTMDet, exp': ('RTMDet', {'bbox_head.exp_on_reg': True}),
    'FSAF': ('FSAF', {}),
    'FoveaBox': ('FOVEA', {'bbox_head.base_edge_list': [4, 10]}),
    'PAA': ('PAA', {}),
    'DDOD': ('DDOD', {}),
    'YOLOF': ('YOLOF', {}),
    'NAS-FCOS': ('NASFCOS', {}),
    'VFNet': ('VFNet', {}),
    'VFNet by stride': ('VFNet', {'bbox_head.bbox_norm_type': 'stride'}),
    'TOOD': ('TOOD', {}),
    'TOOD by anchors': ('TOOD', {'bbox_head.anchor_type': 'anchor_based'}),
    'YOLOX': ('YOLOX', {}),
    'SSD': ('SingleStageDetector', {}),
    'YOLACT': ('YOLACT', {}),
}


@pytest.fixture
def make_model(detector, build, save_teacher):
    """``make_model(family, changes)``: a detector whose boxes differ from place to place."""

    def model(family, changes=None):
        arguments = save_teacher(detector(family, changes))
        made = build(arguments['config'])
        made.load_state_dict(torch.load(arguments['checkpoint'])['state_dict'])
        return made.eval()

    return model


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 96)


@pytest.fixture
def output_of(images):
    """``output_of(model)``: output of its head."""
    return lambda model: model.bbox_head(model.extract_feat(images))


def every_place(maps, channels):
    grids = grids_of(maps, channels)
    count = sum(anchors * height * width for _, anchors, height, width in grids)
    return places_of(grids, torch.arange(2).repeat_interleave(count), torch.arange(count).repeat(2))


def every_row(maps, channels):
    """All rows of the maps, in MMDetection's order."""
    return rows(maps, channels, every_place(maps, channels))


def rows_of(head, output):
    """What DenseDistillHead compares: code, encoded boxes, priors and strides of every place."""
    code = box_code(head)
    maps = code.maps(output)
    priors, strides = priors_and_strides(head, maps, every_place(maps, code.channels))
    return code, code.encoded(every_row(maps, code.channels), strides), priors, strides


def predict_all(head, output, monkeypatch):
    """Boxes of MMDetection's own prediction, of every prior in its order.

    Every prior is of class 0, with scores that keep the priors in their order.
    """
    scores, boxes, *others = output
    for level in scores:
        classes = level.unflatten(1, (-1, head.cls_out_channels)).fill_(-1.0)
        places = classes[0, :, 0].numel()
        falling = torch.linspace(4.0, 2.0, places).view(*level.shape[-2:], -1)
        classes[:, :, 0] = falling.permute(2, 0, 1)
        if isinstance(head, TOODHead):
            level.sigmoid_()
    if isinstance(head, YOLOXHead):
        for objectness in others[0]:
            objectness.fill_(20.0)
    if isinstance(head, (PAAHead, YOLACTHead)):  # these two need NMS, which comes afterwards
        monkeypatch.setattr(
            head,
            '_bbox_post_process',
            lambda results=None, *_, multi_bboxes=None, **__: (
                results if multi_bboxes is None else InstanceData(bboxes=multi_bboxes)
            ),
        )
    if hasattr(head, 'bbox_coder'):
        head.bbox_coder.clip_border = False
    predicted = head.predict_by_feat(
        scores,
        boxes,
        *others,
        batch_img_metas=[{'img_shape': (64, 96), 'scale_factor': (1.0, 1.0)}] * 2,
        cfg=ConfigDict(score_thr=0.5, nms_pre=10_000, min_bbox_size=-1),
        rescale=False,
        with_nms=isinstance(head, PAAHead),
    )
    return torch.cat([result.bboxes for result in predicted])


@pytest.mark.parametrize('case', CASES)
def test_corners_are_mmdetections_own_boxes(make_model, output_of, monkeypatch, case):
    head = (model := make_model(*CASES[case])).bbox_head
    with torch.no_grad():
        output = output_of(model)
        code, encoded, priors, strides = rows_of(head, output)
        expected = predict_all(head, output, monkeypatch)
    found = code.corners(priors, encoded, strides)
    if isinstance(head, FoveaHead):  # always ends at the last pixel
        found = found.minimum(torch.tensor([95.0, 63.0, 95.0, 63.0])).clamp(min=0)
    assert len(expected) == len(priors) >= 2 * 2 * 4 * 6
    assert expected.std(0).min() > 1
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('case', CASES)
def test_encoded_numbers_have_a_scale_near_one(make_model, output_of, case):
    head = (model := make_model(*CASES[case])).bbox_head
    with torch.no_grad():
        _, encoded, _, strides = rows_of(head, output_of(model))
    assert set(strides.unique().tolist()) == ({16.0} if case == 'YOLOF' else {8.0, 16.0})
    assert encoded.shape == (len(strides), 4)
    assert 0.05 < encoded.abs().mean() < 20


def test_vfnet_gives_its_refined_boxes_in_training_and_in_evaluation(make_model, output_of):
    head = (model := make_model('VFNet')).bbox_head
    corners = []
    with torch.no_grad():
        for training in (True, False):
            head.train(training)
            output = output_of(model)
            assert len(output) == (3 if training else 2)
            code, encoded, priors, strides = rows_of(head, output)
            corners.append(code.corners(priors, encoded, strides))
    assert torch.equal(*corners)


def test_foveabox_needs_another_stride_for_every_level(detector, build):
    config = detector('FOVEA', {'bbox_head.strides': [8, 8]})
    with pytest.raises(W2SError, match=r'same stride \(\[8, 8\]\)'):
        box_code(build(config).bbox_head)


@pytest.mark.parametrize('norm_on_bbox', [True, False])
def test_fcos_gives_the_same_in_training_and_in_evaluation(make_model, images, norm_on_bbox):
    model = make_model('FCOS', {'bbox_head.norm_on_bbox': norm_on_bbox})
    head = model.bbox_head
    raw, encoded, corners = [], [], []
    with torch.no_grad():
        features = model.extract_feat(images)
        for training in (True, False):
            head.train(training)
            output = head(features)
            raw.append(torch.cat([level.flatten() for level in output[1]]))
            code, numbers, priors, strides = rows_of(head, output)
            encoded.append(numbers)
            corners.append(code.corners(priors, numbers, strides))
    assert torch.equal(*raw) != norm_on_bbox  # the raw outputs do differ
    torch.testing.assert_close(*encoded)
    torch.testing.assert_close(*corners)


def test_gfl_encodes_the_mean_of_each_distribution_in_strides(make_model, output_of):
    head = (model := make_model('GFL')).bbox_head
    with torch.no_grad():
        output = output_of(model)
    code, encoded, priors, strides = rows_of(head, output)
    corners = code.corners(priors, encoded, strides)
    assert code.channels == 4 * 9
    rows = every_row(output[1], 36).view(-1, 4, 9).double().tolist()
    for place in range(0, len(rows), 37):
        means = []
        for logits in rows[place]:
            powers = [math.exp(z) for z in logits]
            means.append(sum(i * power for i, power in enumerate(powers)) / sum(powers))
        assert encoded[place].tolist() == pytest.approx(means, rel=1e-5)
        left, top, right, bottom = (mean * strides[place].item() for mean in means)
        x1, y1, x2, y2 = priors[place].tolist()
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        expected = [x - left, y - top, x + right, y + bottom]
        assert corners[place].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_anchor_heads_are_read_with_their_own_coder(make_model, output_of):
    head = (model := make_model('RetinaNet')).bbox_head
    with torch.no_grad():
        output = output_of(model)
    code, encoded, priors, strides = rows_of(head, output)
    assert torch.equal(encoded, every_row(output[1], 4))
    assert torch.equal(
        code.corners(priors, encoded, strides), head.bbox_coder.decode(priors, encoded)
    )


SMALL = dict(num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1, strides=[8, 16])
NORM = dict(type='GN', num_groups=4)
REFUSED = {
    'AutoAssignHead': (
        dict(
            **SMALL,
            regress_ranges=((-1, 24), (24, 1e8)),
            norm_cfg=NORM,
            loss_bbox=dict(type='GIoULoss', loss_weight=5.0),
        ),
        'box encoding of .* is unknown',
    ),
    'RepPointsHead': (
        dict(
            num_classes=3,
            in_channels=16,
            feat_channels=18,
            point_feat_channels=18,
            stacked_convs=1,
            point_strides=[8, 16],
        ),
        'box encoding of .* is unknown',
    ),
}


@pytest.mark.parametrize('kind', REFUSED)
def test_heads_whose_outputs_mean_something_else_are_refused_with_the_reason(build, kind):
    arguments, reason = REFUSED[kind]
    head = build({'type': kind, **arguments})
    with pytest.raises(W2SError, match=reason) as refused:
        check_dense(head, head, FocalLogitDistillLoss(), 'encoded', ['student', 'teacher'])
    assert kind in str(refused.value)
    assert 'model.distill_head.loss_bbox=None' in str(refused.value)


DELTAS = DeltaXYWHBBoxCoder([0.0] * 4, [0.1, 0.1, 0.2, 0.2])
OTHER_STDS = DeltaXYWHBBoxCoder([0.0] * 4, [1.0, 0.5, 0.3, 0.7])
OTHER_MEANS = DeltaXYWHBBoxCoder([0.1, -0.2, 0.3, 0.0], [0.1, 0.1, 0.2, 0.2])
OTHER_BOTH = DeltaXYWHBBoxCoder([0.1, -0.2, 0.3, 0.0], [1.0, 0.5, 0.3, 0.7])


@pytest.mark.parametrize(
    ('ours', 'theirs', 'expected'),
    [
        (DELTAS, DELTAS, True),
        (DELTAS, OTHER_STDS, True),
        (DELTAS, OTHER_MEANS, True),
        (DistancePointBBoxCoder(), DistancePointBBoxCoder(clip_border=False), True),
        (TBLRBBoxCoder(normalizer=4.0), TBLRBBoxCoder(normalizer=4.0), True),
        (TBLRBBoxCoder(normalizer=4.0), TBLRBBoxCoder(normalizer=1.0), False),
        (DELTAS, LegacyDeltaXYWHBBoxCoder(), False),
        (DELTAS, TBLRBBoxCoder(), False),
        (DELTAS, DistancePointBBoxCoder(), False),
    ],
)
def test_comparable_where_the_scales_can_be_brought_together(ours, theirs, expected):
    assert comparable(ours, theirs) is expected
    assert comparable(theirs, ours) is expected


@pytest.mark.parametrize('theirs', [OTHER_STDS, OTHER_MEANS, OTHER_BOTH])
def test_rescaled_deltas_name_the_same_box(theirs):
    rois, targets = random_boxes(0), random_boxes(1)
    given = theirs.encode(rois, targets)
    found = rescaled(given, theirs, DELTAS)
    torch.testing.assert_close(found, DELTAS.encode(rois, targets))
    torch.testing.assert_close(DELTAS.decode(rois, found), targets, rtol=1e-5, atol=1e-4)
    assert (found - given).abs().max() > 0.1
    torch.testing.assert_close(rescaled(found, DELTAS, theirs), given)


@pytest.mark.parametrize('coder', [DELTAS, OTHER_BOTH, TBLRBBoxCoder(), DistancePointBBoxCoder()])
def test_equal_coders_leave_the_numbers_alone(coder):
    deltas = torch.randn(5, 4)
    assert rescaled(deltas, coder, coder) is deltas


def test_coders_are_described_with_their_settings():
    assert 'DeltaXYWHBBoxCoder' in described(OTHER_STDS)
    assert '0.7' in described(OTHER_STDS)
