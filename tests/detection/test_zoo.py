"""The five lines on top of stock MMDetection configs: built, and trained for one iteration."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

import w2s_mm.detection  # noqa: F401  (registers the students)
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import read_config_file

BASE = Path(__file__).parents[2] / 'configs/_base_/w2s_detection.py'
R18 = 'model = dict(backbone=dict(depth=18), neck=dict(in_channels=[64, 128, 256, 512]))'
# PyTorch 2.11 refuses the 0 of the stock config of NAS-FCOS.
POSITIVE_EPS = 'norm_cfg=dict(eps=1e-5)'
# Sizes that a family resizes to, or that leave the nine places of a deformable convolution.
SIZES = {
    'ssd': ((300, 300), (300, 300)),
    'yolact': ((96, 96), (96, 96)),
    'ddod': ((384, 384), (384, 320)),
}
FIT = {
    'retinanet/retinanet_r50_fpn_1x_coco.py': ('W2SRetinaNet', 'distill_head', R18),
    'atss/atss_r50_fpn_1x_coco.py': ('W2SATSS', 'distill_head', R18),
    'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py': ('W2SFCOS', 'distill_head', R18),
    'gfl/gfl_r50_fpn_1x_coco.py': ('W2SGFL', 'distill_head', R18),
    'rtmdet/rtmdet_s_8xb32-300e_coco.py': (
        'W2SRTMDet',
        'distill_head',
        'model = dict(backbone=dict(widen_factor=0.25), neck=dict(in_channels=[64, 128, 256]))',
    ),
    'fsaf/fsaf_r50_fpn_1x_coco.py': ('W2SFSAF', 'distill_head', R18),
    'foveabox/fovea_r50_fpn_4xb4-1x_coco.py': ('W2SFOVEA', 'distill_head', R18),
    'paa/paa_r50_fpn_1x_coco.py': ('W2SPAA', 'distill_head', R18),
    'ddod/ddod_r50_fpn_1x_coco.py': ('W2SDDOD', 'distill_head', R18),
    'yolof/yolof_r50-c5_8xb8-1x_coco.py': (
        'W2SYOLOF',
        'distill_head',
        'model = dict(backbone=dict(depth=18), neck=dict(in_channels=512))',
    ),
    'nas_fcos/nas-fcos_r50-caffe_fpn_nashead-gn-head_4xb4-1x_coco.py': (
        'W2SNASFCOS',
        'distill_head',
        R18.replace('depth=18', f'depth=18, {POSITIVE_EPS}'),
    ),
    'vfnet/vfnet_r50_fpn_1x_coco.py': ('W2SVFNet', 'distill_head', R18),
    'tood/tood_r50_fpn_1x_coco.py': ('W2STOOD', 'distill_head', R18),
    'yolox/yolox_s_8xb8-300e_coco.py': (
        'W2SYOLOX',
        'distill_head',
        'model = dict(backbone=dict(widen_factor=0.25), neck=dict(in_channels=[64, 128, 256]))',
    ),
    'ssd/ssd300_coco.py': ('W2SSingleStageDetector', 'softmax_distill_head', ''),
    'yolact/yolact_r50_1xb8-55e_coco.py': ('W2SYOLACT', 'softmax_distill_head', R18),
    'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py': ('W2SFasterRCNN', 'roi_distill_head', R18),
    'faster_rcnn/faster-rcnn_r50-caffe_c4-1x_coco.py': ('W2SFasterRCNN', 'roi_distill_head', ''),
    'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py': ('W2SMaskRCNN', 'roi_distill_head', R18),
    'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py': ('W2SCascadeRCNN', 'roi_distill_head', R18),
    'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py': (
        'W2SCascadeRCNN',
        'roi_distill_head',
        R18,
    ),
}
UNFIT = {
    'autoassign/autoassign_r50-caffe_fpn_1x_coco.py': ('DenseDistillHead', 'is unknown'),
    'ssd/ssd300_coco.py': ('DenseDistillHead', "type='KLDistillLoss'"),
    'yolo/yolov3_d53_8xb8-320-273e_coco.py': ('DenseDistillHead', 'no dense head'),
    'detr/detr_r50_8xb2-150e_coco.py': ('DenseDistillHead', 'no dense head'),
    'centernet/centernet_r18_8xb16-crop512-140e_coco.py': ('DenseDistillHead', 'no dense head'),
    'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py': ('RoIDistillHead', 'other inputs than'),
    'sabl/sabl-faster-rcnn_r50_fpn_1x_coco.py': ('RoIDistillHead', 'no box deltas'),
    'fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py': ('RoIDistillHead', 'has no rpn_head'),
}


def build(model):
    with DefaultScope.overwrite_default_scope('mmdet'):
        return revert_sync_batchnorm(MODELS.build(model))


@pytest.fixture
def small_batch(make_raw):
    """``small_batch(sizes, masks)``: two small images with boxes, and masks if asked."""

    def batch(sizes, masks):
        data = make_raw(sizes)
        for sample in data['data_samples'] if masks else ():
            height, width = sample.img_shape
            everywhere = [torch.ones(height, width).byte().numpy()] * len(sample.gt_instances)
            sample.gt_instances.masks = BitmapMasks(everywhere, height, width)
        return data

    return batch


@pytest.mark.slow
@pytest.mark.parametrize('stock', FIT)
def test_five_lines_distil_a_stock_config(stock, small_batch, tmp_path):
    student_type, head, weaker = FIT[stock]
    (tmp_path / 'weaker.py').write_text(f"_base_ = 'mmdet::{stock}'\n{weaker}\n")
    teacher = build(Config.fromfile(tmp_path / 'weaker.py').model)
    torch.save({'state_dict': teacher.state_dict()}, tmp_path / 'weaker.pth')
    (tmp_path / 'mine.py').write_text(
        f"""_base_ = ['mmdet::{stock}', '{BASE}']
model = dict(
    type='{student_type}',
    teacher=dict(config='{tmp_path}/weaker.py', checkpoint='{tmp_path}/weaker.pth'),
    distill_head=_base_.w2s.{head},
)
default_hooks = _base_.w2s.hooks
"""
    )
    cfg = read_config_file(str(tmp_path / 'mine.py'))
    # An untrained teacher is sure of nothing: let everything take part.
    cfg.model.distill_head.score_thr = 1e-6
    if 'nas_fcos' in stock:
        cfg.merge_from_dict({'model.backbone.norm_cfg.eps': 1e-5})
    stages = cfg.model.get('train_cfg', {}).get('rcnn', [])
    for rcnn in stages if isinstance(stages, list) else [stages]:
        rcnn.sampler.num = 16
    student = build(cfg.model).train()
    with torch.device('meta'):
        plain = build(get_config(f'mmdet::{stock}').model)
    assert student.state_dict().keys() == plain.state_dict().keys()
    student.prepare_teacher()
    student.set_distillation(2.0, 2.0)
    wrapper = Runner.build_optim_wrapper(
        SimpleNamespace(model=student), dict(cfg.optim_wrapper, type='OptimWrapper')
    )
    before = [parameter.clone() for parameter in student.parameters()]
    sizes = SIZES.get(stock.split('/')[0], ((96, 96), (96, 64)))
    batch = small_batch(sizes, masks='mask' in stock or 'yolact' in stock)
    log = student.train_step(batch, wrapper)
    terms = {name: value for name, value in log.items() if 'distill' in name}
    stages = 3 if student_type == 'W2SCascadeRCNN' else 1
    assert len(terms) == 2 * stages
    assert all(torch.isfinite(value) and value > 0 for value in terms.values()), terms
    assert torch.isfinite(log['loss'])
    assert any(not torch.equal(a, b) for a, b in zip(before, student.parameters(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize('stock', UNFIT)
def test_families_that_do_not_fit_are_refused_with_the_reason(stock):
    head, reason = UNFIT[stock]
    with torch.device('meta'):  # its shape is enough
        model = build(get_config(f'mmdet::{stock}').model)
    with pytest.raises(W2SError, match=reason):
        MODELS.build(dict(type=head, loss_bbox=dict(type='mmdet.L1Loss'))).check(model, model)
