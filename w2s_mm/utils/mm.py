"""MMEngine's internals: everything private to it that this package touches is in this file."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config
from mmengine.config import utils as config_utils
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

# Without an entry MMEngine refuses `_base_ = 'w2s_mm::...'`.
config_utils.MODULE2PACKAGE.setdefault('w2s_mm', 'w2s_mm')

_BASE_NAMESPACE = 'w2s'  # what `_base_/w2s_*.py` offer to configs that inherit them


def read_config_file(path: str, import_custom_modules: bool = True) -> Config:
    """Read a config file, without the values that a ``_base_/w2s_*.py`` only offers.

    Args:
        path: Path of a config file.
        import_custom_modules: Import what ``custom_imports`` names.
    """
    cfg = Config.fromfile(path, import_custom_modules=import_custom_modules)
    cfg.pop(_BASE_NAMESPACE, None)
    return cfg


def type_name(kind: Any) -> str | None:
    """Name of a config's ``type``, without its scope or module.

    It is a string in a classic config, and a class or function in a pure-Python one.
    """
    if kind is None:
        return None
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
    return name.rsplit('.', 1)[-1]


def plain_types(config: Any) -> Any:
    """A copy of a config in which every class and function is written as ``module.name``.

    A pure-Python config holds classes, and the same config read from a checkpoint holds strings.
    """
    if isinstance(config, dict):
        return {key: plain_types(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(plain_types(value) for value in config)
    if inspect.isclass(config) or inspect.isfunction(config):
        return f'{config.__module__}.{config.__qualname__}'
    return config


def build_runner(cfg: Config) -> Runner:
    """The runner that a config asks for."""
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def unwrapped(model: nn.Module) -> Any:
    """The model inside a wrapper such as DistributedDataParallel, or the model itself."""
    return model.module if is_model_wrapper(model) else model


def is_resuming(runner: Any) -> bool:
    """Whether the run continues a checkpoint, as opposed to starting from weights."""
    return bool(runner._resume)


def iters_per_epoch(runner: Any) -> float:
    """Iterations in which the training set is seen once."""
    loader = runner.train_dataloader
    ranks = get_world_size() if isinstance(loader.sampler, InfiniteSampler) else 1
    return len(loader) / ranks  # the infinite sampler counts the images of all ranks


def is_epoch_based(runner: Any) -> bool:
    """Whether the training loop counts epochs (as opposed to iterations)."""
    return hasattr(runner.train_loop, 'run_epoch')


def validation_due(runner: Any) -> bool:
    """Whether the loop validates after the iterations done so far (MMEngine's own rule)."""
    loop = runner.train_loop
    done, total = (
        (loop.epoch, loop.max_epochs) if is_epoch_based(runner) else (loop.iter, loop.max_iters)
    )
    loop._decide_current_val_interval()
    return done > 0 and done >= loop.val_begin and (done % loop.val_interval == 0 or done == total)


@contextmanager
def evaluating(runner: Any, model: nn.Module, hooks: Sequence[Hook]) -> Iterator[None]:
    """Let the runner's validation loop run ``model`` with ``hooks``, in place of its own."""
    student, kept = runner.model, runner._hooks
    runner.model, runner._hooks = model, list(hooks)
    try:
        yield
    finally:
        runner.model, runner._hooks = student, kept
        # Persistent workers would skip the random draw of the student's own first validation.
        runner.val_dataloader._iterator = None


def normalizes(preprocessor: nn.Module) -> bool:
    """Whether a data preprocessor subtracts a mean and divides by a standard deviation."""
    return bool(getattr(preprocessor, '_enable_normalize', False))


def swaps_channels(preprocessor: nn.Module) -> bool:
    """Whether a data preprocessor turns BGR into RGB or RGB into BGR."""
    swaps = getattr(preprocessor, '_channel_conversion', None)
    return bool(getattr(preprocessor, 'to_rgb', False) if swaps is None else swaps)
