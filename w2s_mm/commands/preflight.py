"""Checks that cost nothing and come before anything is built or written."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import join_path
from mmengine.registry import DATASETS
from mmengine.runner import find_latest_checkpoint

from w2s_mm.utils.checkpoint import load_checkpoint
from w2s_mm.utils.errors import W2SError

# What makes a training the training it is. The rest (logging, workers, where data lie, a longer
# training) may change; WeakToStrongHook itself refuses another teacher or another schedule.
IDENTITY = (
    'model',
    'train_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'randomness',
)
MAY_DIFFER_STRICTLY = (
    'num_workers',
    'persistent_workers',
    'prefetch_factor',
    'pin_memory',
    'data_root',
)
MAY_DIFFER = (*MAY_DIFFER_STRICTLY, 'checkpoint', 'max_epochs', 'max_iters')


def check_data(cfg: Config, splits: tuple[str, ...]) -> None:
    """Every annotation file and image folder that the config names must be there.

    Where a data set names neither (MMPretrain's know where they lie below it), its ``data_root``
    must be, unless it downloads itself.

    Args:
        cfg: The config of a run.
        splits: Any of ``train``, ``val`` and ``test``.

    Raises:
        W2SError: One is not; the message ends with the config's ``missing_data``, if it has one.
    """
    for split in splits:
        for owner, path in (*_files_of_dataset(cfg, split), *_files_of_evaluator(cfg, split)):
            if '://' not in path and not Path(path).exists():
                hint = cfg.get('missing_data') or (
                    'Set data_root, ann_file and data_prefix of the dataset to where the data '
                    'is. The digit scenes need no download: python tools/make_digit_scenes.py, '
                    'then train configs/digits/retinanet_baseline.py.'
                )
                raise W2SError(f'{owner}: {path} is not there. {hint}')


def _files_of_dataset(cfg: Config, split: str) -> Iterator[tuple[str, str]]:
    loader = f'{split}_dataloader'
    return _files_of(loader, (cfg.get(loader) or {}).get('dataset') or {}, cfg)


def _files_of(owner: str, config: Any, cfg: Config) -> Iterator[tuple[str, str]]:
    for dataset in _datasets(config):
        prefix = dataset.get('data_prefix') or {}
        folders = prefix.values() if isinstance(prefix, dict) else [prefix]
        root = dataset.get('data_root') or ''
        names = list(filter(None, (dataset.get('ann_file'), *folders)))
        for name in names:
            yield owner, str(join_path(root, name))
        if root and not names and not _downloads(dataset, cfg.get('default_scope')):
            yield owner, str(root)


def _downloads(dataset: dict[str, Any], scope: str | None) -> bool:
    """Whether a data set fetches what is missing, as MMPretrain's CIFAR10 does by default."""
    kind = dataset.get('type')
    if isinstance(kind, str):
        with DATASETS.switch_scope_and_registry(scope) as registry:
            kind = registry.get(kind)
    option = inspect.signature(kind).parameters.get('download') if callable(kind) else None
    return bool(dataset.get('download', option.default)) if option else False


def _files_of_evaluator(cfg: Config, split: str) -> Iterator[tuple[str, str]]:
    evaluator = f'{split}_evaluator'
    for metric in _datasets(cfg.get(evaluator) or {}):
        if metric.get('ann_file'):
            yield evaluator, str(metric['ann_file'])
        yield from _files_of(evaluator, metric.get('reference') or {}, cfg)  # FID's images


def _datasets(dataset: Any) -> Iterator[dict[str, Any]]:
    """A dataset config and, for wrappers, the ones inside."""
    if isinstance(dataset, (list, tuple)):
        for inner in dataset:
            yield from _datasets(inner)
    elif isinstance(dataset, dict):
        yield dataset
        for key in ('dataset', 'datasets'):
            yield from _datasets(dataset.get(key, ()))


def check_resume(cfg: Config) -> None:
    """A run may only be resumed by the configuration that started it.

    Raises:
        W2SError: The checkpoint was written under other settings; the message names them.
    """
    source = cfg.get('load_from') or (
        find_latest_checkpoint(cfg.work_dir) if Path(cfg.work_dir).is_dir() else None
    )
    if source is None:
        if Path(cfg.work_dir).is_dir():
            return  # stopped before its first checkpoint: it starts over
        raise W2SError(
            f'Nothing to resume: {cfg.work_dir} does not exist. Leave out --resume to start.'
        )
    # The file is the user's own training state, which MMEngine itself is about to unpickle.
    meta = load_checkpoint(
        source, weights_only=False, absent='Give --resume an existing checkpoint.'
    ).get('meta', {})
    if 'cfg' not in meta:
        return
    before = Config.fromstring(meta['cfg'], '.py')
    refuse_another_config(source, before, cfg, IDENTITY)


def refuse_another_config(
    source: str | Path, before: Config, now: Config, names: Sequence[str], strict: bool = False
) -> None:
    """Refuse to go on with, or to count, what another configuration made.

    Args:
        source: What was made.
        before: The configuration that made it.
        now: The one asked for.
        names: Settings that have to agree, dotted where they are nested.
        strict: The length of the training and the teacher's checkpoint have to agree as well.

    Raises:
        W2SError: They do not; the message names the differences.
    """
    free = MAY_DIFFER_STRICTLY if strict else MAY_DIFFER
    differences = [
        f'{path}: {old!r} there, {new!r} now'
        for name in names
        for path, old, new in _differences(name, _nested(before, name), _nested(now, name), free)
    ]
    if differences:
        shown = '\n  '.join(differences[:8])
        more = f'\n  and {len(differences) - 8} more' if len(differences) > 8 else ''
        raise W2SError(
            f'{source} belongs to a run of another configuration:\n  {shown}{more}\n'
            f'Nothing was changed. Restore these settings, or start this configuration in another '
            f'--work-dir.'
        )


def _nested(cfg: Any, name: str) -> Any:
    for part in name.split('.'):
        cfg = (cfg or {}).get(part)
    return cfg


def _differences(
    path: str, old: Any, new: Any, free: Sequence[str]
) -> Iterator[tuple[str, Any, Any]]:
    if path.rsplit('.', 1)[-1] in free:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            yield from _differences(f'{path}.{key}', old.get(key), new.get(key), free)
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f'{path}.{index}', a, b, free)
    elif old != new:
        yield path, old, new
