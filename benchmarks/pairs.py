"""Pairs of a student and its teacher with random images and weights: no data set, no downloads.

``PAIRS`` has a function for each, which returns a :class:`Pair`. The sizes are those of the paper's
pairs; detectors see images of 320 px.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from w2s_mm.utils.mm import read_config_file

CHANNELS = {18: [64, 128, 256, 512], 34: [64, 128, 256, 512], 50: [256, 512, 1024, 2048]}
PRIORS = 100  # confident priors of a teacher in an image, as of a trained one


@dataclass
class Pair:
    """A pair.

    Attributes:
        scope: Default scope of its models.
        baseline: Config of the student without a teacher.
        student: Config of the student.
        batches: What a data loader would give.
        remembers: Whether its answers can be remembered.
        peer: Config of the same pair as another library distils it.
        files: Keeps the teacher's checkpoint, which is removed with the pair.
    """

    scope: str
    baseline: dict[str, Any]
    student: dict[str, Any]
    batches: list[dict[str, Any]]
    remembers: bool = False
    peer: dict[str, Any] | None = None
    files: Any = field(default=None, repr=False)


def detector(
    stock: str, student: int, teacher: int, *, head: str = 'DenseDistillHead', batch: int = 2
) -> Pair:
    """A detector of MMDetection with another ResNet as its teacher's backbone.

    Args:
        stock: Name of a config with a ResNet-50.
        student: Depth of the student's ResNet.
        teacher: Depth of the teacher's.
        head: Type of the distill head.
        batch: Images in a batch.
    """
    import w2s_mm.detection  # noqa: F401  (registers the students)

    cfg = get_config(f'mmdet::{stock}', pretrained=False)
    ours, theirs = (_with_backbone(cfg.model, depth) for depth in (student, teacher))
    distill = {'type': head, 'loss_bbox': {'type': 'mmdet.L1Loss', 'loss_weight': 1.0}}
    batches = [_detection_batch(batch, seed) for seed in range(4)]
    pair = _pair('mmdet', ours, theirs, distill, batches)
    pair.remembers = head == 'DenseDistillHead'
    _calibrate(pair, head)
    return pair


def gfl() -> Pair:
    """GFL-R50 <- R34, and the same pair in MMDetection's own distiller (LD)."""
    pair = detector('gfl/gfl_r50_fpn_1x_coco.py', 50, 34)
    teacher = pair.student['teacher']
    head = {
        **copy.deepcopy(pair.baseline['bbox_head']),
        'type': 'LDHead',
        'loss_ld': {'type': 'KnowledgeDistillationKLDivLoss', 'loss_weight': 0.25, 'T': 10},
    }
    pair.peer = {
        **copy.deepcopy(pair.baseline),
        'type': 'KnowledgeDistillationSingleStageDetector',
        'bbox_head': head,
        'teacher_config': Config(teacher['config']),
        'teacher_ckpt': teacher['checkpoint'],
        'eval_teacher': True,
    }
    return pair


def classifier(student: str, teacher: str, batch: int = 16) -> Pair:
    """Two classifiers of MMPretrain on images of 224 px.

    Args:
        student: Name of a stock config.
        teacher: Name of a stock config.
        batch: Images in a batch.
    """
    from mmpretrain.structures import DataSample

    import w2s_mm.classification  # noqa: F401  (registers the student)

    models = []
    for name in (student, teacher):
        cfg = get_config(f'mmpretrain::{name}', pretrained=False)
        models.append({**cfg.model.to_dict(), 'data_preprocessor': dict(cfg.data_preprocessor)})
    batches = []
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        shape = (batch, 3, 224, 224)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        samples = [DataSample().set_gt_label(i % 1000) for i in range(batch)]
        batches.append({'inputs': images, 'data_samples': samples})
    pair = _pair('mmpretrain', *models, {'type': 'LogitDistillHead'}, batches)
    pair.remembers = True
    return pair


def ddpm(config: str, batch: int = 4) -> Pair:
    """A pair of the paper's diffusion models on images of 32 px.

    Args:
        config: Name of the student's config.
        batch: Images in a batch.
    """
    cfg = read_config_file(config)
    import w2s_mm.generation  # noqa: F401  (registers the student)

    theirs = read_config_file(cfg.model.teacher.config).model.to_dict()
    ours = _plain(cfg.model.to_dict())
    batches = []
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        images = torch.randint(0, 256, (batch, 3, 32, 32), dtype=torch.uint8, generator=generator)
        batches.append({'inputs': list(images)})
    return _pair('mmengine', ours, theirs, cfg.model.distill_head.to_dict(), batches)


def _plain(student: dict[str, Any]) -> dict[str, Any]:
    """The config of a student without its teacher."""
    kept = {k: v for k, v in student.items() if k not in ('teacher', 'distill_head', 'gamma')}
    return {**kept, 'type': student['type'].removeprefix('W2S')}


def _with_backbone(model: Any, depth: int) -> dict[str, Any]:
    changed = ConfigDict(copy.deepcopy(model.to_dict()))
    changed.backbone.update(depth=depth, init_cfg=None)
    changed.neck.in_channels = CHANNELS[depth]
    return changed.to_dict()


def _pair(
    scope: str,
    ours: dict[str, Any],
    theirs: dict[str, Any],
    head: dict[str, Any],
    batches: list[dict[str, Any]],
) -> Pair:
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / 'teacher.pth'
    with DefaultScope.overwrite_default_scope(scope), torch.random.fork_rng():
        torch.manual_seed(1)
        model = MODELS.build(ConfigDict(copy.deepcopy(theirs)))
        model.init_weights()
        _settle(model, batches[0])
        torch.save({'state_dict': model.state_dict()}, path)
    student = {
        **copy.deepcopy(ours),
        'type': f'W2S{ours["type"]}',
        'teacher': {
            'config': {'model': theirs, 'default_scope': scope},
            'checkpoint': str(path),
        },
        'distill_head': head,
    }
    return Pair(scope, ours, student, batches, files=folder)


def _settle(model: Any, batch: dict[str, Any]) -> None:
    """Give batch norms the statistics of a batch, without which deep features overflow."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    if not norms:
        return
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train().extract_feat(model.data_preprocessor(copy.deepcopy(batch))['inputs'])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _detection_batch(size: int, seed: int) -> dict[str, Any]:
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    generator = torch.Generator().manual_seed(seed)
    images, samples = [], []
    for index in range(size):
        height, width = ((320, 240), (224, 320))[index % 2]
        shape = (3, height, width)
        images.append(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))
        corner = torch.rand(7, 2, generator=generator) * 150
        boxes = torch.cat([corner, corner + 20 + 50 * torch.rand(7, 2, generator=generator)], 1)
        labels = torch.randint(0, 80, (7,), generator=generator)
        info = {'img_shape': shape[1:], 'ori_shape': shape[1:], 'pad_shape': shape[1:],
                'scale_factor': (1.0, 1.0), 'img_id': size * seed + index}  # fmt: skip
        sample = DetDataSample(
            gt_instances=InstanceData(bboxes=boxes, labels=labels), metainfo=info
        )
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
        samples.append(sample)
    return {'inputs': images, 'data_samples': samples}


def _calibrate(pair: Pair, head: str) -> None:
    """Set the threshold so that :data:`PRIORS` priors of an image are confident."""
    config = pair.student['distill_head']
    if head == 'RoIDistillHead':
        config['score_thr'] = 1e-4  # all RoIs, of which there are few
        return
    with DefaultScope.overwrite_default_scope(pair.scope), torch.no_grad():
        model = MODELS.build(ConfigDict(copy.deepcopy(pair.student['teacher']['config']['model'])))
        model.load_state_dict(torch.load(pair.student['teacher']['checkpoint'])['state_dict'])
        data = model.eval().data_preprocessor(copy.deepcopy(pair.batches[0]))
        scores = model(data['inputs'], mode='tensor')[0]
        channels = model.bbox_head.cls_out_channels
        best = torch.cat([m.unflatten(1, (-1, channels)).amax(2).flatten() for m in scores])
        count = PRIORS * len(data['inputs'])
        config['score_thr'] = float(best.sigmoid().topk(count).values[-1])


def from_config(config: str) -> Pair:
    """The pair of a student's config, with its own data and its teacher's checkpoint."""
    from mmengine.runner import Runner

    cfg = read_config_file(config)
    scope = cfg.get('default_scope', 'mmdet')
    with DefaultScope.overwrite_default_scope(scope):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        batches = [batch for batch, _ in zip(loader, range(8), strict=False)]
    student = cfg.model.to_dict()
    if 'data_preprocessor' in cfg:
        student.setdefault('data_preprocessor', cfg.data_preprocessor.to_dict())
    head = cfg.model.distill_head.get('type')
    remembers = head in ('DenseDistillHead', 'LogitDistillHead')
    return Pair(scope, _plain(student), student, batches, remembers)


PAIRS: dict[str, Callable[[], Pair]] = {
    'retinanet_r34_to_r50': partial(detector, 'retinanet/retinanet_r50_fpn_1x_coco.py', 50, 34),
    'faster_rcnn_r18_to_r50': partial(
        detector, 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 50, 18, head='RoIDistillHead'
    ),
    'gfl_r34_to_r50': gfl,
    'atss_r34_to_r50': partial(detector, 'atss/atss_r50_fpn_1x_coco.py', 50, 34),
    'fcos_r34_to_r50': partial(detector, 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', 50, 34),
    'resnet18_to_resnet50': partial(
        classifier, 'resnet/resnet50_8xb32_in1k.py', 'resnet/resnet18_8xb32_in1k.py'
    ),
    'mobilenetv2_to_resnet50': partial(
        classifier, 'resnet/resnet50_8xb32_in1k.py', 'mobilenet_v2/mobilenet-v2_8xb32_in1k.py'
    ),
    'ddpm_nc64_to_nc128': partial(ddpm, 'w2s_mm::ddpm_nc64rb2_to_nc128rb3.py'),
}
