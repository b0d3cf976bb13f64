"""Tiny detectors and batches, small enough that a forward and backward pass takes milliseconds."""

import copy
import functools
import random

import numpy as np
import pytest
import torch
from hypothesis import settings
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope

from tests.run_files import write_run  # noqa: F401

torch.set_num_threads(1)
# The same examples in every run, however slow the machine.
settings.register_profile('steady', deadline=None, derandomize=True, database=None)
settings.load_profile('steady')

NUM_CLASSES = 3
BOX_LOSSES = {
    'l1': dict(loss_bbox=dict(type='mmdet.L1Loss')),
    'giou': dict(loss_bbox=dict(type='mmdet.GIoULoss'), box_form='corners'),
    None: {},
}
RETINANET = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=8,
        stem_channels=8,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
    ),
    neck=dict(type='FPN', in_channels=[16, 32], out_channels=16, num_outs=2),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=NUM_CLASSES,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        anchor_generator=dict(
            type='AnchorGenerator',
            octave_base_scale=2,
            scales_per_octave=1,
            ratios=[0.5, 1.0],
            strides=[8, 16],
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]
        ),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0),
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.4,
            min_pos_iou=0,
            ignore_iof_thr=-1,
        ),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=100,
    ),
)

DELTAS = dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2])
GROUPS = dict(type='GN', num_groups=4, requires_grad=True)
ONE_ANCHOR = dict(
    type='AnchorGenerator',
    octave_base_scale=2,
    scales_per_octave=1,
    ratios=[1.0],
    strides=[8, 16],
)
QUALITY = dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0)
CENTERNESS = dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0)
TOWER = dict(num_classes=NUM_CLASSES, in_channels=16, feat_channels=16, stacked_convs=1)


def one_stage(family, assigner, **head):
    """The tiny RetinaNet with another head."""
    train_cfg = dict(assigner=assigner, allowed_border=-1, pos_weight=-1, debug=False)
    return {**RETINANET, 'type': family, 'bbox_head': {**TOWER, **head}, 'train_cfg': train_cfg}


RTM_NORM = dict(norm_cfg=dict(type='BN'), act_cfg=dict(type='SiLU', inplace=True))
ONE_STAGE = {
    'RetinaNet': RETINANET,
    'ATSS': one_stage(
        'ATSS',
        dict(type='ATSSAssigner', topk=9),
        type='ATSSHead',
        norm_cfg=GROUPS,
        anchor_generator=ONE_ANCHOR,
        bbox_coder=DELTAS,
        loss_cls=RETINANET['bbox_head']['loss_cls'],
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        loss_centerness=CENTERNESS,
    ),
    'FCOS': one_stage(
        'FCOS',
        None,
        type='FCOSHead',
        norm_cfg=GROUPS,
        strides=[8, 16],
        regress_ranges=((-1, 24), (24, 1e8)),
        loss_cls=RETINANET['bbox_head']['loss_cls'],
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
        loss_centerness=CENTERNESS,
    ),
    'GFL': one_stage(
        'GFL',
        dict(type='ATSSAssigner', topk=9),
        type='GFLHead',
        norm_cfg=GROUPS,
        anchor_generator=ONE_ANCHOR,
        loss_cls=QUALITY,
        loss_dfl=dict(type='DistributionFocalLoss', loss_weight=0.25),
        reg_max=8,
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    'RTMDet': {
        **one_stage(
            'RTMDet',
            dict(type='DynamicSoftLabelAssigner', topk=13),
            type='RTMDetSepBNHead',
            anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16]),
            bbox_coder=dict(type='DistancePointBBoxCoder'),
            loss_cls=QUALITY,
            loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
            with_objectness=False,
            exp_on_reg=False,
            share_conv=True,
            pred_kernel_size=1,
            **RTM_NORM,
        ),
        'backbone': dict(
            type='CSPNeXt',
            deepen_factor=0.167,
            widen_factor=0.125,
            out_indices=(2, 3),
            channel_attention=True,
            **RTM_NORM,
        ),
        'neck': dict(
            type='CSPNeXtPAFPN',
            in_channels=[32, 64],
            out_channels=16,
            num_csp_blocks=1,
            expand_ratio=0.5,
            **RTM_NORM,
        ),
    },
}


def sampled(iou, num, add_gt):
    """Assigner and sampler of one stage of a two-stage detector."""
    return dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=iou,
            neg_iou_thr=iou,
            min_pos_iou=iou,
            match_low_quality=not add_gt,
            ignore_iof_thr=-1,
        ),
        sampler=dict(
            type='RandomSampler',
            num=num,
            pos_fraction=0.5,
            neg_pos_ub=-1,
            add_gt_as_proposals=add_gt,
        ),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    )


def roi_extractor(size):
    return dict(
        type='SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=size, sampling_ratio=0),
        out_channels=16,
        featmap_strides=[8, 16],
        finest_scale=10,
    )


BOX_HEAD = dict(
    type='Shared2FCBBoxHead',
    in_channels=16,
    fc_out_channels=16,
    roi_feat_size=7,
    num_classes=NUM_CLASSES,
    bbox_coder=DELTAS,
    reg_class_agnostic=False,
    loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    loss_bbox=dict(type='L1Loss', loss_weight=1.0),
)
PROPOSALS = dict(
    nms_pre=60, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0
)
FASTER_RCNN = {
    **{key: RETINANET[key] for key in ('data_preprocessor', 'backbone', 'neck')},
    'type': 'FasterRCNN',
    'rpn_head': dict(
        type='RPNHead',
        in_channels=16,
        feat_channels=16,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[2], ratios=[0.5, 1.0], strides=[8, 16]
        ),
        bbox_coder={**DELTAS, 'target_stds': [1.0] * 4},
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0),
    ),
    'roi_head': dict(
        type='StandardRoIHead', bbox_roi_extractor=roi_extractor(7), bbox_head=BOX_HEAD
    ),
    'train_cfg': dict(
        rpn=sampled(0.5, 32, add_gt=False),
        rpn_proposal=PROPOSALS,
        rcnn=sampled(0.5, 16, add_gt=True),
    ),
    'test_cfg': dict(
        rpn=PROPOSALS,
        rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=20),
    ),
}
CASCADE_STDS = ([0.1, 0.1, 0.2, 0.2], [0.05, 0.05, 0.1, 0.1], [0.033, 0.033, 0.067, 0.067])
TWO_STAGE = {
    'FasterRCNN': FASTER_RCNN,
    'MaskRCNN': {
        **FASTER_RCNN,
        'type': 'MaskRCNN',
        'roi_head': dict(
            **FASTER_RCNN['roi_head'],
            mask_roi_extractor=roi_extractor(7),
            mask_head=dict(
                type='FCNMaskHead',
                num_convs=1,
                in_channels=16,
                conv_out_channels=8,
                num_classes=NUM_CLASSES,
                loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
            ),
        ),
        'train_cfg': {
            **FASTER_RCNN['train_cfg'],
            'rcnn': dict(**sampled(0.5, 16, add_gt=True), mask_size=14),
        },
        'test_cfg': {
            **FASTER_RCNN['test_cfg'],
            'rcnn': dict(**FASTER_RCNN['test_cfg']['rcnn'], mask_thr_binary=0.5),
        },
    },
    'CascadeRCNN': {
        **FASTER_RCNN,
        'type': 'CascadeRCNN',
        'roi_head': dict(
            type='CascadeRoIHead',
            num_stages=3,
            stage_loss_weights=[1, 0.5, 0.25],
            bbox_roi_extractor=roi_extractor(7),
            bbox_head=[
                {
                    **BOX_HEAD,
                    'reg_class_agnostic': True,
                    'bbox_coder': {**DELTAS, 'target_stds': stds},
                }
                for stds in CASCADE_STDS
            ],
        ),
        'train_cfg': {
            **FASTER_RCNN['train_cfg'],
            'rcnn': [sampled(iou, 16, add_gt=True) for iou in (0.5, 0.6, 0.7)],
        },
    },
}


@pytest.fixture(autouse=True)
def _seeded():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def detector():
    """``detector(family, changes)``: config of a tiny detector, changed at the dotted keys."""

    def config(family, changes=None):
        wrapped = Config({'model': copy.deepcopy({**ONE_STAGE, **TWO_STAGE}[family])})
        wrapped.merge_from_dict({f'model.{key}': value for key, value in (changes or {}).items()})
        return wrapped.to_dict()['model']

    return config


@pytest.fixture
def retinanet(detector):
    """``retinanet(changes)``: config of a tiny RetinaNet, changed at the dotted keys."""
    return functools.partial(detector, 'RetinaNet')


@pytest.fixture
def faster_rcnn(detector):
    """``faster_rcnn(changes)``: config of a tiny Faster R-CNN, changed at the dotted keys."""
    return functools.partial(detector, 'FasterRCNN')


@pytest.fixture
def build():
    """``build(config)``: a model; the test runs as in a run with ``default_scope='mmdet'``."""
    import w2s_mm.detection  # noqa: F401  (registers the students)

    with DefaultScope.overwrite_default_scope('mmdet'):
        yield lambda config: MODELS.build(ConfigDict(copy.deepcopy(config)))


@pytest.fixture
def save_teacher(build, tmp_path):
    """``save_teacher(config)``: the ``teacher`` arguments of a student, weights in a file.

    Its class scores spread over both sides of the usual thresholds; distances make boxes.
    """

    def arguments(config, seed=1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = build(config)
            for parameter in model.parameters():
                parameter.data.add_(torch.randn_like(parameter), alpha=0.05)
            for name, buffer in model.named_buffers():
                if name.endswith(('running_mean', 'running_var')):
                    buffer.add_(torch.rand_like(buffer), alpha=0.1)
            for name, module in model.named_modules():
                _adjust(name.split('.'), module)
        path = tmp_path / f'teacher_{len(list(tmp_path.iterdir()))}.pth'
        torch.save({'state_dict': model.state_dict()}, path)
        return {'config': config, 'checkpoint': str(path)}

    return arguments


def _adjust(name, module):
    dense = {'retina_cls', 'atss_cls', 'conv_cls', 'gfl_cls', 'rtm_cls', 'rpn_cls'}
    if dense & set(name) and hasattr(module, 'bias'):
        module.weight.data.mul_(8)
        module.bias.data.fill_(-1.5)
    elif name[-1] == 'fc_cls':
        module.weight.data.mul_(16)
        module.bias.data.zero_()[-1] = 1.5  # the background
    elif {'conv_reg', 'rtm_reg'} & set(name) and hasattr(module, 'bias'):
        module.bias.data.fill_(1.5)  # distances above zero, as in a trained head


@pytest.fixture
def make_teacher(retinanet, save_teacher):
    """``make_teacher(changes)``: a tiny RetinaNet as ``save_teacher`` gives it."""
    return lambda changes=None, seed=1: save_teacher(retinanet(changes), seed)


@pytest.fixture
def make_student(retinanet, build, make_teacher):
    """``make_student(...)``: a tiny distilled RetinaNet in training mode."""

    def student(changes=None, teacher=None, score_thr=0.2, focal=1.0, box='l1', **kwargs):
        torch.manual_seed(0)
        return build(
            {
                **retinanet(changes),
                'type': 'W2SRetinaNet',
                'teacher': teacher or make_teacher(),
                'distill_head': {
                    'type': 'DenseDistillHead',
                    'score_thr': score_thr,
                    'loss_cls': {'type': 'FocalLogitDistillLoss', 'focal': focal},
                    **BOX_LOSSES[box],
                },
                **kwargs,
            }
        ).train()

    return student


@pytest.fixture
def make_rcnn_student(faster_rcnn, build, save_teacher):
    """``make_rcnn_student(config, ...)``: a distilled two-stage detector in training mode.

    ``config`` is the plain detector's, a tiny Faster R-CNN's if None; the teacher is another such.
    """

    def student(
        config=None,
        teacher=None,
        score_thr=0.2,
        box='l1',
        rpn=False,
        normalizer='confident',
        **kwargs,
    ):
        config = config or faster_rcnn()
        teacher = teacher or save_teacher(config)
        torch.manual_seed(0)
        return build(
            {
                **config,
                'type': 'W2S' + config['type'],
                'teacher': teacher,
                'distill_head': {
                    'type': 'RoIDistillHead',
                    'score_thr': score_thr,
                    'normalizer': normalizer,
                    'loss_rpn': {'type': 'FocalLogitDistillLoss', 'focal': 1.0} if rpn else None,
                    **BOX_LOSSES[box],
                },
                **kwargs,
            }
        ).train()

    return student


@pytest.fixture
def make_raw():
    """``make_raw(sizes)``: images and boxes as a data loader gives them, before preprocessing.

    With ``masks``, each object fills its box.
    """
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    def raw(sizes=((64, 64), (64, 64)), seed=0, masks=False):
        generator = torch.Generator().manual_seed(seed)
        images, samples = [], []
        for index, (height, width) in enumerate(sizes):
            images.append(
                torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
            )
            corner = torch.tensor([[4.0, 6.0], [20.0, 12.0]])
            boxes = torch.cat([corner, corner + torch.tensor([[16.0, 16.0], [28.0, 20.0]])], 1)
            sample = DetDataSample(
                gt_instances=InstanceData(bboxes=boxes, labels=torch.tensor([index % 3, 2])),
                metainfo={
                    'img_shape': (height, width),
                    'ori_shape': (height, width),
                    'scale_factor': (1.0, 1.0),
                    'img_id': index,
                },
            )
            sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
            if masks:
                filled = np.zeros((2, height, width), dtype=np.uint8)
                for mask, (left, top, right, bottom) in zip(filled, boxes.int(), strict=True):
                    mask[top:bottom, left:right] = 1
                sample.gt_instances.masks = BitmapMasks(filled, height, width)
            samples.append(sample)
        return {'inputs': images, 'data_samples': samples}

    return raw


@pytest.fixture
def make_batch(make_raw):
    """``make_batch(model, ...)``: inputs and data samples as the model's ``loss`` takes them."""

    def batch(model, sizes=((64, 64), (64, 64)), seed=0, training=True, masks=False):
        data = model.data_preprocessor(make_raw(sizes, seed, masks), training)
        return data['inputs'], data['data_samples']

    return batch
