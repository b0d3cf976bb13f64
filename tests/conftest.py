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

from tests.detector_parts import BOX_LOSSES
from tests.one_stage import ONE_STAGE
from tests.run_files import write_run  # noqa: F401
from tests.two_stage import TWO_STAGE

torch.set_num_threads(1)
# The same examples in every run, however slow the machine.
settings.register_profile('steady', deadline=None, derandomize=True, database=None)
settings.load_profile('steady')


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
    dense |= {'cls_score', 'vfnet_cls', 'tood_cls', 'multi_level_conv_cls'}
    if dense & set(name) and hasattr(module, 'bias'):
        module.weight.data.mul_(8)
        module.bias.data.fill_(-1.5)
    elif {'object_pred', 'cls_prob_module', 'multi_level_conv_obj'} & set(name):
        if hasattr(module, 'bias'):
            module.bias.data.fill_(1.5)  # the other factor of the class scores
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
