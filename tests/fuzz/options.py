"""Wrong types and values for every public option, made from the signatures."""

from __future__ import annotations

import copy
import decimal
import inspect
import math
import numbers
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import (
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    DefaultScope,
)

from tests.hooks.toy import make_config, make_teacher
from w2s_mm.classification import LogitDistillHead, SelectionHead, TorchvisionClassifier
from w2s_mm.classification.backbones import CIFARDenseNet
from w2s_mm.core.registry import build_schedule, build_stop, build_temperature
from w2s_mm.core.schedule import TemperatureRamp, WarmupHoldDecay
from w2s_mm.core.stop import SurpassGate
from w2s_mm.core.student import WeakToStrong
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.datasets import write_digit_scenes
from w2s_mm.datasets.coco_split import draw_subset
from w2s_mm.datasets.digits import DigitScans, NoisyDigits
from w2s_mm.detection import DenseDistillHead, RoIDistillHead
from w2s_mm.generation import DDPM, FID, ClassifierFeatures, InceptionFeatures, NoiseDistillHead
from w2s_mm.generation.pipeline import DiffusersDDPM
from w2s_mm.generation.sample_grid import SampleGridHook
from w2s_mm.generation.sampling_seeds import SamplingSeeds
from w2s_mm.generation.timesteps import LossAwareTimesteps, UniformTimesteps
from w2s_mm.generation.unet import improved_ddpm_unet
from w2s_mm.hooks import GradientNormHook, RunRecordHook, TimeToTargetHook, WeakToStrongHook
from w2s_mm.losses import (
    BalancedKLDistillLoss,
    CurriculumTemperatureLoss,
    DecoupledDistillLoss,
    FocalLogitDistillLoss,
    HardLabelDistillLoss,
    KLDistillLoss,
    RelationDistillLoss,
    SquaredErrorDistillLoss,
    StandardizedDistillLoss,
    takes_labels,
    tempered,
)
from w2s_mm.optim import MuonConstructor, MuonWithAdamW

from .cases import Case, Defect


class _Plain:
    def __repr__(self) -> str:
        return '<an object>'


POOL: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 40, 0.5, 1.5, -0.5, 1e-300, 1e308, math.nan, math.inf,
    -math.inf, 1 << 70, -(1 << 70), 1 << 31, '', 'x', '1', 'nan', 'x' * 10_000, b'x', [], [1],
    [0.5], ['x'], [math.nan], [None], (1, 2), (0.9, 0.99), {}, {'type': 'Nope'}, {'type': 5},
    {'type': None}, {'type': 'nope.L1Loss'}, {'type': 'KLDistillLoss', 'nope': 1}, {1: 2},
    {'a': {'b': [1]}}, {1, 2}, _Plain(), print, int, torch.ones(1), torch.ones(2, 2),
    torch.tensor(math.nan), np.float32(0.5), np.int64(2), np.array([1, 2]), decimal.Decimal('0.5'),
    1j, range(3), [{}], [None, 1], Path('x'), 'epoch', 'train', 'cosine', 'less',
)  # fmt: skip

# Options that MM defines, not this package.
THEIRS = {'data_preprocessor', 'init_cfg', 'kwargs', 'args', 'params', 'progress', 'force', 'root'}


@dataclass(frozen=True)
class Target:
    """Something with options.

    Attributes:
        of: The class or function; its signature has the options.
        base: Arguments that work, in an empty folder.
        build: Makes it from arguments, as from a config.
        use: Uses what was made, shortly.
        loose: Options that may have other types than the annotation says.
        skipped: Options that are not tried.
        name: Its name in the table, if not that of the class.
        named: Text that every error contains, if not the option.
    """

    of: Any
    build: Callable[[dict[str, Any]], Any]
    base: Callable[[Path], dict[str, Any]] = lambda _: {}
    use: Callable[[Any], Any] = lambda _: None
    loose: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    name: str = ''
    named: str = ''

    @property
    def label(self) -> str:
        return self.name or self.of.__name__

    def options(self) -> dict[str, str]:
        """Names and annotations, with those of the bases that it passes options on to."""
        found = {} if inspect.isclass(self.of) else _parameters(self.of)
        for cls in self.of.__mro__ if inspect.isclass(self.of) else ():
            if '__init__' in vars(cls) and cls.__module__.startswith('w2s_mm'):
                found = {**_parameters(cls.__init__), **found}
                kinds = {p.kind for p in inspect.signature(cls.__init__).parameters.values()}
                if inspect.Parameter.VAR_KEYWORD not in kinds:
                    break
        return {k: v for k, v in found.items() if k not in (*THEIRS, *self.skipped)}


def _parameters(function: Any) -> dict[str, str]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: str(each.annotation)
        for name, each in inspect.signature(function).parameters.items()
        if each.kind in named and name != 'self'
    }


def all_cases(seed: int, scale: float = 1.0) -> Iterator[Case]:
    """Each value of the pool for each option."""
    for target in TARGETS:
        for option, annotation in target.options().items():
            for value in POOL:
                yield _case(target, option, annotation, value)


def _case(target: Target, option: str, annotation: str, value: Any) -> Case:
    def make(folder: Path) -> Callable[[], Any]:
        return partial(_use, target, option, annotation, copy.deepcopy(value), folder)

    shown = value if isinstance(value, type) or callable(value) else repr(value)[:40]
    named = target.named or option
    return Case(f'option: {target.label}', f'{option}={shown}', make, named)


def _use(target: Target, option: str, annotation: str, value: Any, folder: Path) -> None:
    arguments = {**target.base(folder), option: value}
    made = target.build(arguments)
    if option not in target.loose and not fits(value, annotation):
        raise Defect(f'{option} of another type or not finite was accepted')
    target.use(made)


def fits(value: Any, annotation: str) -> bool:
    """Whether a value has the type that an annotation says; numbers are finite, bools are not."""
    parts = re.sub(r'\[.*\]', '', annotation).replace(' ', '').split('|')
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    fitting = {
        'None': value is None,
        'bool': isinstance(value, bool),
        'int': number and isinstance(value, numbers.Integral),
        'float': number and math.isfinite(value),
        'str': isinstance(value, str),
        'dict': isinstance(value, dict),
    }
    return any(fitting.get(part, part not in fitting) for part in parts)


# ---------------------------------------------------------------------------------------- targets


def _classifier(arguments: dict[str, Any]) -> Any:
    """As a teacher is built: in MMPretrain's scope, whatever scope a run before it left."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build({'type': 'TorchvisionClassifier', **arguments})


def _registered(registry: Any, cls: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda arguments: registry.build({'type': cls, **arguments})


def _finite(value: Any) -> None:
    if not math.isfinite(value):
        raise Defect('the result is not finite')


def _use_loss(loss: Any) -> None:
    torch.manual_seed(0)
    pred = torch.randn(3, 4, requires_grad=True)
    given = {'labels': torch.arange(3)} if takes_labels(loss) else {}
    value = loss(pred, torch.randn(3, 4), **given)
    value.backward()
    _finite(float(value))


def _use_schedule(schedule: Any) -> None:
    for u in (0, 0.3, 1.0, 5.0, 1e6):
        _finite(schedule(u))
    _finite(getattr(schedule, 'length', 0) or 0)


def _use_temperature(ramp: Any) -> None:
    torch.manual_seed(0)
    for u in (0, 0.3, 1.0, 5.0, 1e6):
        loss = tempered(KLDistillLoss(), torch.randn(2, 3), torch.randn(2, 3), ramp(u))
        _finite(float(loss))


def _use_gate(gate: Any) -> None:
    gate.open(0.5)
    for iteration in range(4):
        gate.observe(0.6, iteration)
    gate.load_state_dict(gate.state_dict())
    gate.describe()


def _use_head(head: Any) -> None:
    torch.manual_seed(0)
    for name in ('loss_cls', 'loss_noise'):
        if hasattr(head, name):
            pair = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4)
            _finite(float(head.weight * tempered(getattr(head, name), *pair, 2.0)))
    for name in ('loss_bbox', 'loss_rpn'):
        if getattr(head, name, None) is not None:
            getattr(head, name)(torch.rand(3, 4), torch.rand(3, 4))
    if head.schedule is not None:
        _use_schedule(head.schedule)
    if head.temperature is not None:
        _use_temperature(head.temperature)


SCHEDULE = {'unit': 'epoch', 'lambda_max': 1.0, 'warmup': 0.5, 'hold': 0.5, 'decay': 0.0}


def _use_hook(hook: Any) -> None:
    if isinstance(hook, WeakToStrongHook):
        _use_schedule(hook.schedule)
        _use_temperature(hook.temperature)
        hook.stop.open(0.5)
        hook.stop.observe(0.6, 1)


def _hook(cls: Any, **base: Any) -> Target:
    return Target(
        cls,
        _registered(HOOKS, cls),
        lambda _: copy.deepcopy(base),
        _use_hook,
        loose=('temperature', 'stop', 'schedule'),
    )


def _student(arguments: dict[str, Any]) -> Any:
    folder = arguments.pop('folder')
    config = make_config(folder / 'run', None).model
    model = {**config, 'type': 'W2SToyNet', 'distill_head': {'type': 'ToyDistillHead'}}
    return MODELS.build({**model, **arguments})


def _use_student(student: Any) -> None:
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    losses = student.loss(torch.ones(2, 3, 2, 2), list(torch.ones(2)))
    _finite(float(sum(losses.values())))


def _use_unet(unet: Any) -> None:
    size, channels = unet.config.sample_size, unet.config.in_channels
    unet(torch.zeros(1, channels, size, size), torch.zeros(1))


UNET = {'type': 'ImprovedDDPMUNet', 'channels': 8, 'blocks': 1, 'image_size': 8, 'in_channels': 1}


def _use_ddpm(model: Any) -> None:
    losses = model.loss(torch.zeros(2, *model.image_shape))
    _finite(float(sum(losses.values())))
    model.sample(1, torch.Generator().manual_seed(0), steps=2)


def _use_timesteps(sampler: Any) -> None:
    t, weights = sampler.draw(4, 'cpu')
    sampler.observe(t, torch.ones(4))
    _finite(float(weights.sum()))


def _use_seeds(seeds: Any) -> None:
    seeds[len(seeds) - 1]


def _fid(arguments: dict[str, Any]) -> Any:
    metric = METRICS.build({'type': FID, **arguments})
    metric.dataset_meta = {'samples': 30}
    return metric


def _use_fid(metric: Any) -> None:
    images = torch.randint(0, 256, (30, 1, 8, 8), dtype=torch.uint8)
    metric.process(None, [{'generated': image, 'finite': True} for image in images])
    Evaluator([metric]).metrics[0].evaluate(30)


def _optimizer(arguments: dict[str, Any]) -> Any:
    weight = torch.nn.Parameter(torch.randn(3, 4))
    bias = torch.nn.Parameter(torch.randn(3))
    groups = [{'params': [weight], 'use_muon': True}, {'params': [bias], 'use_muon': False}]
    return MuonWithAdamW(groups, **arguments)


def _use_optimizer(optimizer: Any) -> None:
    parameters = [p for group in optimizer.param_groups for p in group['params']]
    for _ in range(2):
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    _finite(float(sum(p.sum() for p in parameters)))


def _constructed(arguments: dict[str, Any]) -> Any:
    wrapper = {'type': 'OptimWrapper', 'optimizer': {'type': 'MuonWithAdamW', 'lr': 0.1}}
    given = {'optim_wrapper_cfg': wrapper, **arguments}
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build({'type': MuonConstructor, **given})
    model = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(3)))
    return constructor(model).optimizer


INSTANCES = {
    'images': [{'id': i, 'file_name': f'{i}.jpg'} for i in range(4)],
    'annotations': [{'id': i, 'image_id': i % 4, 'category_id': 1} for i in range(8)],
    'categories': [{'id': 1, 'name': 'a'}],
}


def _teacher(arguments: dict[str, Any]) -> FrozenTeacher:
    return MODELS.build(
        {
            **make_config(Path('x'), None).model,
            'type': 'W2SToyNet',
            'distill_head': {'type': 'ToyDistillHead'},
            'teacher': arguments,
        }
    ).teacher


def _use_classifier(model: Any) -> None:
    model.eval()(torch.zeros(1, 3, 32, 32), mode='tensor')


def _use_dataset(dataset: Any) -> None:
    dataset[len(dataset) - 1]


def _fid_base(folder: Path) -> dict[str, Any]:
    import tests.generation.test_fid  # noqa: F401  (registers ToyFeatures and ToyImages)

    reference = {'type': 'ToyImages'}
    return {
        'reference': reference, 'features': {'type': 'ToyFeatures'}, 'cache': str(folder / 'cache')
    }  # fmt: skip


PREPROCESSOR = {'mean': [0.0] * 3, 'std': [1.0] * 3}
LOGITS = _registered(MODELS, LogitDistillHead)
TARGETS: tuple[Target, ...] = (
    *(
        Target(cls, _registered(MODELS, cls), use=_use_loss)
        for cls in (
            KLDistillLoss,
            BalancedKLDistillLoss,
            DecoupledDistillLoss,
            FocalLogitDistillLoss,
            HardLabelDistillLoss,
            RelationDistillLoss,
            SquaredErrorDistillLoss,
            StandardizedDistillLoss,
            CurriculumTemperatureLoss,
        )
    ),
    Target(WarmupHoldDecay, build_schedule, lambda _: dict(SCHEDULE), _use_schedule),
    Target(
        TemperatureRamp,
        build_temperature,
        lambda _: {'type': 'TemperatureRamp', 'start': 4.0, 'end': 1.0, 'length': 2.0},
        _use_temperature,
    ),
    Target(
        build_temperature,
        lambda arguments: build_temperature(**arguments),
        use=_use_temperature,
        loose=('config',),
        named='temperature',
    ),
    Target(
        SurpassGate,
        lambda arguments: build_stop(arguments, 'greater'),
        use=_use_gate,
    ),
    *(
        Target(
            cls,
            _registered(MODELS, cls),
            base,
            _use_head,
            loose=('temperature', 'loss_bbox', 'loss_rpn'),
        )
        for cls, base in (
            (LogitDistillHead, lambda _: {}),
            (SelectionHead, lambda _: {}),
            (DenseDistillHead, lambda _: {'loss_bbox': {'type': 'mmdet.L1Loss'}}),
            (RoIDistillHead, lambda _: {'loss_rpn': {'type': 'FocalLogitDistillLoss'}}),
            (NoiseDistillHead, lambda _: {}),
        )
    ),
    Target(
        WeakToStrong,
        _student,
        lambda folder: {'teacher': make_teacher(folder), 'folder': folder},
        _use_student,
        loose=('distill_head',),
        name='student',
    ),
    Target(FrozenTeacher, _teacher, make_teacher, lambda teacher: teacher.load()),
    _hook(WeakToStrongHook, metric='toy/fit', schedule=SCHEDULE),
    _hook(TimeToTargetHook, metric='toy/fit', thresholds=[0.5]),
    _hook(GradientNormHook, interval=2),
    _hook(RunRecordHook, batches=2),
    _hook(SampleGridHook),
    Target(
        TorchvisionClassifier,
        _classifier,
        lambda _: {
            'model_name': 'shufflenet_v2_x0_5', 'num_classes': 4,
            'data_preprocessor': {**PREPROCESSOR, 'type': 'mmpretrain.ClsDataPreprocessor'},
        },
        _use_classifier,
    ),
    Target(
        CIFARDenseNet,
        _registered(MODELS, CIFARDenseNet),
        lambda _: {'depth': 10, 'growth_rate': 2},
        lambda net: net(torch.zeros(2, 3, 32, 32)),
    ),
    Target(
        improved_ddpm_unet,
        lambda arguments: MODELS.build({'type': 'ImprovedDDPMUNet', **arguments}),
        lambda _: {k: v for k, v in UNET.items() if k != 'type'},
        _use_unet,
    ),
    Target(
        DDPM, _registered(MODELS, DDPM), lambda _: {'unet': dict(UNET), 'steps': 100}, _use_ddpm,
        loose=('unet',),
    ),
    Target(
        DiffusersDDPM, _registered(MODELS, DiffusersDDPM), lambda _: {'folder': 'none'},
        skipped=('sampling',),
    ),
    Target(UniformTimesteps, _registered(MODELS, UniformTimesteps), use=_use_timesteps),
    Target(
        LossAwareTimesteps, _registered(MODELS, LossAwareTimesteps), lambda _: {'steps': 30},
        _use_timesteps,
    ),
    Target(SamplingSeeds, _registered(DATASETS, SamplingSeeds), lambda _: {'count': 3}, _use_seeds),
    Target(InceptionFeatures, _registered(MODELS, InceptionFeatures)),
    Target(
        ClassifierFeatures,
        _registered(MODELS, ClassifierFeatures),
        lambda folder: {'name': 'toy', **make_teacher(folder)},
        named='features',
    ),
    Target(FID, _fid, _fid_base, _use_fid),
    Target(MuonWithAdamW, _optimizer, use=_use_optimizer),
    Target(
        MuonConstructor, _constructed, use=_use_optimizer, skipped=('optim_wrapper_cfg',),
    ),
    Target(
        NoisyDigits, _registered(DATASETS, NoisyDigits), lambda _: {'split': 'val', 'size': 8},
        _use_dataset,
    ),
    Target(DigitScans, _registered(DATASETS, DigitScans), use=_use_dataset),
    Target(
        write_digit_scenes,
        lambda arguments: write_digit_scenes(**arguments),
        lambda folder: {'root': folder / 'data', 'num_train': 1, 'num_val': 1, 'size': 64},
    ),
    Target(
        draw_subset,
        lambda arguments: draw_subset(**arguments),
        lambda _: {'instances': INSTANCES, 'size': 2, 'seed': 0},
        skipped=('instances',),  # the content of a file, see coco.py
    ),
)  # fmt: skip
