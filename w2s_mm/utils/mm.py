"""All uses of MMEngine's private interfaces."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn

from .batch import total_batch
from .errors import W2SError
from .files import is_file

CONFIGS = Path(__file__).parents[1] / '.mim' / 'configs'  # setup.py puts them there
_PREFIX = 'w2s_mm::'
_BASE_NAMESPACE = 'w2s'  # key of the building blocks that `_base_/w2s_*.py` provide


def config_path(name: str, what: str = 'Config') -> str:
    """Resolve the name of a config to a file.

    Args:
        name: A path, or ``package::path`` for a config shipped with a package, such as
            ``'w2s_mm::digits/retinanet_student.py'`` or
            ``'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'``.
        what: Description of the config, for the message.

    Raises:
        W2SError: There is no such file.
    """
    if '::' not in name:
        path = Path(name)
        if not is_file(path):
            raise W2SError(f'{what} not found: {name} (looked for {path.absolute()}).')
        return name
    try:
        return Config._get_cfg_path(name, '')[0]
    except (AssertionError, ImportError, OSError, ValueError) as error:
        raise W2SError(
            f'{what} not found: {name} ({str(error)[:200]}). Expected a path, or '
            f"'<package>::<path below its configs>'."
        ) from error


def config_name(path: str | Path) -> str:
    """The display name of a config: the reverse of :func:`config_path`.

    ``w2s_mm::...`` for a config of this package, a relative path below the working directory, and
    the file name for any other path.
    """
    path = Path(path).absolute()
    for folder, prefix in ((CONFIGS, _PREFIX), (Path.cwd(), '')):
        if path.is_relative_to(folder):
            return prefix + path.relative_to(folder).as_posix()
    return path.name


_mmengine_cfg_path = Config._get_cfg_path


def _get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
    """MMEngine's own method, extended by ``w2s_mm::...``.

    MMEngine only accepts OpenMMLab packages. It also locates the installed distribution, which may
    be another copy, and uses the package name as registry scope. This package has no scope: its
    classes are in MMEngine's root registries.
    """
    if not cfg_path.startswith(_PREFIX):
        return _mmengine_cfg_path(cfg_path, filename)
    path = CONFIGS / cfg_path.removeprefix(_PREFIX)
    if not CONFIGS.is_dir():
        raise FileNotFoundError(f'{CONFIGS} does not exist; install w2s_mm with pip')
    if not path.is_file():
        raise FileNotFoundError(f'looked for {path}')
    return str(path), None


Config._get_cfg_path = staticmethod(_get_cfg_path)


def read_config_file(name: str, import_custom_modules: bool = True, what: str = 'Config') -> Config:
    """Read a config file, without the building blocks of ``_base_/w2s_*.py``.

    Args:
        name: See :func:`config_path`.
        import_custom_modules: Import the modules in ``custom_imports``.
        what: Description of the config, for the message.

    Raises:
        W2SError: There is no such file.
    """
    cfg = Config.fromfile(config_path(name, what), import_custom_modules=import_custom_modules)
    cfg.pop(_BASE_NAMESPACE, None)
    return cfg


def config_from_text(text: str) -> Config:
    """Read what ``Config.dump`` writes, in which infinity and NaN are bare names."""
    cfg = Config.fromstring(f'inf = float("inf")\nnan = float("nan")\n{text}', '.py')
    for name in ('inf', 'nan'):
        cfg.pop(name)
    return cfg


def type_name(kind: Any) -> str | None:
    """Name of a config's ``type``, without its scope or module.

    ``type`` is a string in classic configs, and a class or function in pure-Python configs.
    """
    if kind is None:
        return None
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
    return name.rsplit('.', 1)[-1]


def plain_types(config: Any) -> Any:
    """Copy a config, with every class and function replaced by its ``module.name``.

    Pure-Python configs hold classes; the same config read from a checkpoint holds strings.
    """
    if isinstance(config, (Config, ConfigDict)):
        config = config.to_dict()  # also resolves lazy imports
    if isinstance(config, dict):
        return {key: plain_types(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(plain_types(value) for value in config)
    if inspect.isclass(config) or inspect.isfunction(config):
        return f'{config.__module__}.{config.__qualname__}'
    return config


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config.

    MMEngine scales the learning rate (``auto_scale_lr``) to batch size x processes. Here the
    batches whose gradients are accumulated count too.
    """
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    scale = getattr(runner, 'auto_scale_lr', None)
    if scale and scale.get('enable'):
        batch = total_batch(cfg, get_world_size())
        if batch is not None and batch.base is not None:
            runner.auto_scale_lr = {**scale, 'base_batch_size': batch.base / batch.accumulation}
    return runner


def unwrapped(model: nn.Module) -> Any:
    """The model inside a wrapper such as DistributedDataParallel, or the model itself."""
    return model.module if is_model_wrapper(model) else model


def is_resuming(runner: Any) -> bool:
    """Whether the run resumes from a checkpoint (as opposed to ``load_from``)."""
    return bool(runner._resume)


def resumed_from(runner: Any) -> str | None:
    """Path of the checkpoint that the run was resumed from, or None."""
    if not runner._resume:
        return None
    return runner._load_from or find_latest_checkpoint(runner.work_dir)


def before_saving(hook: CheckpointHook, action: Callable[[], None]) -> None:
    """Call ``action`` in all processes before ``hook`` saves a regular checkpoint."""
    save = hook._save_checkpoint_with_step

    def save_after_action(*args: Any, **kwargs: Any) -> None:
        action()
        save(*args, **kwargs)

    hook._save_checkpoint_with_step = save_after_action


def iters_per_epoch(runner: Any) -> float:
    """Number of iterations per pass over the training set."""
    loader = runner.train_dataloader
    ranks = get_world_size() if isinstance(loader.sampler, InfiniteSampler) else 1
    return len(loader) / ranks  # len() counts the images of all ranks with InfiniteSampler


def is_epoch_based(runner: Any) -> bool:
    """Whether the training loop counts epochs (as opposed to iterations)."""
    return hasattr(runner.train_loop, 'run_epoch')


def validation_due(runner: Any) -> bool:
    """Whether the training loop validates at its current position, by MMEngine's own rule."""
    loop = runner.train_loop
    done, total = (
        (loop.epoch, loop.max_epochs) if is_epoch_based(runner) else (loop.iter, loop.max_iters)
    )
    loop._decide_current_val_interval()
    return done > 0 and done >= loop.val_begin and (done % loop.val_interval == 0 or done == total)


@contextmanager
def evaluating(runner: Any, model: nn.Module, hooks: Sequence[Hook]) -> Iterator[None]:
    """Make the runner's validation loop evaluate ``model``, with only ``hooks``."""
    student, kept = runner.model, runner._hooks
    runner.model, runner._hooks = model, list(hooks)
    try:
        yield
    finally:
        runner.model, runner._hooks = student, kept
        # With a cached iterator (persistent workers), the student's first validation would skip
        # a random draw.
        runner.val_dataloader._iterator = None


def normalizes(preprocessor: nn.Module) -> bool:
    """Whether a data preprocessor subtracts a mean and divides by a standard deviation."""
    return bool(getattr(preprocessor, '_enable_normalize', False))


def swaps_channels(preprocessor: nn.Module) -> bool:
    """Whether a data preprocessor swaps BGR and RGB."""
    swaps = getattr(preprocessor, '_channel_conversion', None)
    return bool(getattr(preprocessor, 'to_rgb', False) if swaps is None else swaps)


def undo_compile(runner: Any) -> dict[str, Any] | None:
    """Take back what MMEngine does for ``compile`` in a config, before the first iteration.

    Returns:
        Arguments for ``torch.compile``, or None if nothing was compiled.
    """
    options = runner.cfg.get('compile')
    if options is None or options is False:
        return None
    for model in (runner.model, unwrapped(runner.model)):
        for name in ('train_step', 'forward'):  # Runner; the strategies of FlexibleRunner
            model.__dict__.pop(name, None)
    options = {} if options is True else dict(options)
    options.pop('target', None)
    return options
