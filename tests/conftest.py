"""Tiny detectors and batches, small enough that a forward and backward pass takes milliseconds."""

import copy
import random

import numpy as np
import pytest
import torch
from hypothesis import settings
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope

torch.set_num_threads(1)
# The same examples in every run, however slow the machine.
settings.register_profile('steady', deadline=None, derandomize=True, database=None)
settings.load_profile('steady')

NUM_CLASSES = 3
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


@pytest.fixture(autouse=True)
def _seeded():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def retinanet():
    """``retinanet(changes)``: config of a tiny RetinaNet, changed at the dotted keys."""

    def config(changes=None):
        wrapped = Config({'model': copy.deepcopy(RETINANET)})
        wrapped.merge_from_dict({f'model.{key}': value for key, value in (changes or {}).items()})
        return wrapped.to_dict()['model']

    return config


@pytest.fixture
def build():
    """``build(config)``: a model; the test runs as in a run with ``default_scope='mmdet'``."""
    import w2s_mm.detection  # noqa: F401  (registers the students)

    with DefaultScope.overwrite_default_scope('mmdet'):
        yield lambda config: MODELS.build(ConfigDict(copy.deepcopy(config)))


@pytest.fixture
def make_teacher(retinanet, build, tmp_path):
    """``make_teacher(changes)``: the ``teacher`` arguments of a student, weights in a file.

    Its class scores spread over both sides of the usual thresholds.
    """

    def arguments(changes=None, seed=1):
        config = retinanet(changes)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = build(config)
            for parameter in model.parameters():
                parameter.data.add_(torch.randn_like(parameter), alpha=0.05)
            for name, buffer in model.named_buffers():
                if name.endswith(('running_mean', 'running_var')):
                    buffer.add_(torch.rand_like(buffer), alpha=0.1)
            head = getattr(model, 'bbox_head', None)
            if hasattr(head, 'retina_cls'):
                head.retina_cls.weight.data.mul_(8)
                head.retina_cls.bias.data.fill_(-1.5)
        path = tmp_path / f'teacher_{len(list(tmp_path.iterdir()))}.pth'
        torch.save({'state_dict': model.state_dict()}, path)
        return {'config': config, 'checkpoint': str(path)}

    return arguments


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
                    'loss_cls': {
                        'type': 'FocalLogitDistillLoss',
                        'score_thr': score_thr,
                        'focal': focal,
                    },
                    'loss_bbox': box and {'type': 'BoxDistillLoss', 'mode': box},
                },
                **kwargs,
            }
        ).train()

    return student


@pytest.fixture
def make_raw():
    """``make_raw(sizes)``: images and boxes as a data loader gives them, before preprocessing."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    def raw(sizes=((64, 64), (64, 64)), seed=0):
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
            samples.append(sample)
        return {'inputs': images, 'data_samples': samples}

    return raw


@pytest.fixture
def make_batch(make_raw):
    """``make_batch(model, ...)``: inputs and data samples as the model's ``loss`` takes them."""

    def batch(model, sizes=((64, 64), (64, 64)), seed=0, training=True):
        data = model.data_preprocessor(make_raw(sizes, seed), training)
        return data['inputs'], data['data_samples']

    return batch
