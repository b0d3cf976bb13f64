"""A student, a teacher, data and a metric that train in milliseconds, on a real Runner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import DATASETS, METRICS, MODELS, OPTIM_WRAPPERS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

import w2s_mm.hooks  # noqa: F401  (registers them)
from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.student import WeakToStrong
from w2s_mm.utils.precision import full_precision

FEATURES = 8


@OPTIM_WRAPPERS.register_module(force=True)
class CpuAmpOptimWrapper(OptimWrapper):
    """What AmpOptimWrapper does with bfloat16; MMEngine's own refuses to run on a CPU."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


@MODELS.register_module(force=True)
class ToyNet(BaseModel):
    """Linear regression of images (N, 3, 2, 2) with batch norm and dropout, to show any drift."""

    def __init__(self, width: int = FEATURES, norm: bool = True) -> None:
        super().__init__(data_preprocessor=dict(type='ImgDataPreprocessor', mean=[0.0], std=[1.0]))
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(12, width), nn.BatchNorm1d(width) if norm else nn.Identity()
        )
        self.head = nn.Sequential(nn.Dropout(0.2 if norm else 0.0), nn.Linear(width, 1))

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        out = self.head(self.body(inputs))
        return (
            out
            if mode == 'tensor'
            else [dict(pred=p, target=t) for p, t in zip(out, data_samples, strict=True)]
        )

    def loss(self, inputs: Tensor, data_samples: Any) -> dict[str, Tensor]:
        out = self.head(self.body(inputs))
        return dict(
            loss_base=(full_precision(out).squeeze(-1) - torch.stack(list(data_samples)))
            .square()
            .mean()
        )


@MODELS.register_module(force=True)
class W2SToyNet(WeakToStrong, ToyNet):
    """The distilled toy."""


@MODELS.register_module(force=True)
class ToyDistillHead(DistillHead):
    """Squared distance of the outputs."""

    def taps(self, model: Any) -> tuple[str, ...]:
        return ('head',)

    def ask(
        self, student: Any, teacher: Any, inputs: Tensor, data_samples: Any, tape: Any
    ) -> Tensor:
        return teacher.answer(student, inputs, None)[0]

    def loss(
        self, student: Any, tape: Any, answer: Tensor, temperature: float
    ) -> dict[str, Tensor]:
        out = full_precision(tape.last('head').output)
        return dict(toy=(out - full_precision(answer)).square().mean() / temperature)


@MODELS.register_module(force=True)
class ToyFeatureHead(DistillHead):
    """Squared distance of the features, the student's projected to the teacher's width."""

    def __init__(self, width: int = FEATURES, target: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project = nn.Linear(width, target)
        self.register_buffer('calls', torch.zeros(()))

    def taps(self, student: Any) -> tuple[str, ...]:
        return ('body',)

    def teacher_taps(self, teacher: Any) -> tuple[str, ...]:
        return ('body',)

    def ask(
        self, student: Any, teacher: Any, inputs: Tensor, data_samples: Any, tape: Any
    ) -> Tensor:
        return teacher.answer(student, inputs, None)[1].last('body').output

    def loss(
        self, student: Any, tape: Any, answer: Tensor, temperature: float
    ) -> dict[str, Tensor]:
        self.calls += 1
        projected = self.project(tape.last('body').output)
        return dict(features=(full_precision(projected) - full_precision(answer)).square().mean())


@DATASETS.register_module(force=True)
class ToyData(Dataset):
    """Seeded images whose target is linear in them; NumPy-free augmentation draws torch's RNG."""

    METAINFO: dict[str, Any] = dict(classes=('toy',))

    def __init__(self, size: int = 24, seed: int = 0, augment: bool = False) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.images = torch.randn(size, 3, 2, 2, generator=generator)
        self.targets = self.images.flatten(1) @ torch.linspace(-1, 1, 12)
        self.augment = augment
        self.metainfo = self.METAINFO

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        import numpy as np

        noise = np.random.randn() * 0.01 if self.augment else 0.0
        return dict(inputs=self.images[index] + noise, data_samples=self.targets[index])


@METRICS.register_module(force=True)
class ToyFit(BaseMetric):
    """1 / (1 + mean squared error): in (0, 1], higher is better."""

    default_prefix = 'toy'

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        self.results += [
            float((s['pred'].squeeze(-1) - s['target']).square()) for s in data_samples
        ]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(fit=1 / (1 + sum(results) / len(results)))


@METRICS.register_module(force=True)
class ToyError(BaseMetric):
    """Mean squared error: lower is better."""

    default_prefix = 'error'
    process = ToyFit.process

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(mse=sum(results) / len(results))


def make_teacher(folder: Path, width: int = 4, norm: bool = True) -> dict[str, Any]:
    """A teacher that knows a little: its config and checkpoint."""
    torch.manual_seed(7)
    net = ToyNet(width, norm)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    data = ToyData(64, seed=1)
    for _ in range(60):
        optimizer.zero_grad()
        net.loss(data.images, data.targets)['loss_base'].backward()
        optimizer.step()
    path = folder / 'teacher.pth'
    torch.save(net.state_dict(), path)
    return dict(config=dict(type='ToyNet', width=width, norm=norm), checkpoint=str(path))


def loader(split_seed: int, batch: int, infinite: bool = False, **data: Any) -> dict[str, Any]:
    return dict(
        batch_size=batch,
        num_workers=0,
        sampler=dict(
            type='InfiniteSampler' if infinite else 'DefaultSampler',
            shuffle=infinite or split_seed == 0,
        ),
        collate_fn=dict(type='pseudo_collate'),
        dataset=dict(type='ToyData', seed=split_seed, **data),
    )


def make_config(
    work_dir: Path,
    teacher: dict[str, Any] | None,
    *,
    epochs: int = 4,
    by_epoch: bool = True,
    norm: bool = True,
    schedule: dict[str, Any] | None = None,
    hook: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    time_hook: dict[str, Any] | None = None,
    **overrides: Any,
) -> Config:
    """Config of a toy run: the plain net, or with ``teacher`` the distilled one."""
    per_epoch = 4
    net = dict(type='ToyNet', norm=norm)
    hooks: dict[str, Any] = dict(
        logger=dict(type='LoggerHook', interval=2),
        checkpoint=dict(
            type='CheckpointHook', interval=1 if by_epoch else per_epoch, by_epoch=by_epoch
        ),
        exact_resume=dict(type='ExactResumeHook'),
        time_to_target=dict(
            type='TimeToTargetHook', metric='toy/fit', thresholds=[0.5], **(time_hook or {})
        ),
    )
    if teacher is not None:
        net = dict(
            net,
            type='W2SToyNet',
            teacher=teacher,
            **{'distill_head': dict(type='ToyDistillHead'), **(model or {})},
        )
        hooks['weak_to_strong'] = dict(
            type='WeakToStrongHook',
            metric='toy/fit',
            schedule=schedule
            or dict(unit='epoch', lambda_max=1.0, warmup=0.5, hold=1.5, decay=1.0),
            temperature=dict(start=2.0, end=1.0, length=3.0),
            **(hook or {}),
        )
    overrides.setdefault('randomness', dict(seed=5))
    config = dict(
        model=net,
        work_dir=str(work_dir),
        train_dataloader=loader(0, 6, infinite=not by_epoch, augment=True),
        val_dataloader=loader(3, 8),
        val_evaluator=dict(type='ToyFit'),
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1)
        if by_epoch
        else dict(by_epoch=False, max_iters=epochs * per_epoch, val_interval=per_epoch),
        val_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05 if norm else 0.005, momentum=0.9)),
        param_scheduler=dict(type='LinearLR', start_factor=0.5, begin=0, end=10, by_epoch=False),
        default_hooks=hooks,
        log_processor=dict(by_epoch=by_epoch, window_size=2),
        default_scope='mmengine',
        experiment_name=f'toy_{work_dir.name}_{id(hooks)}',
        **overrides,
    )
    return Config(config)


def run(config: Config) -> Runner:
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def weights(runner: Runner) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in runner.model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
