"""Checks that cost nothing and come before anything is built or written."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import join_path
from mmengine.registry import DATASETS

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import type_name
from w2s_mm.utils.settings import differences

LEAST_FREE = 2**20  # bytes; the log and the config alone need some
# Keys that may differ anywhere in these.
MAY_DIFFER = (
    'num_workers',
    'persistent_workers',
    'prefetch_factor',
    'pin_memory',
    'data_root',
)


def hook_config(cfg: Config, kind: str) -> dict[str, Any] | None:
    """The first hook of this type among the default and the custom hooks of a config, or None.

    Args:
        cfg: The config of a run, classic or pure Python.
        kind: Name of the hook's class.
    """
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or ())]
    found = (hook for hook in hooks if hook and type_name(hook.get('type')) == kind)
    return next(found, None)


def check_data(cfg: Config, splits: tuple[str, ...]) -> None:
    """Check that every annotation file and image folder named in the config exists.

    A data set may name neither (MMPretrain's know their own layout): then its ``data_root`` must
    exist, unless the data set downloads itself.

    Args:
        cfg: The config of a run.
        splits: Any of ``train``, ``val`` and ``test``.

    Raises:
        W2SError: One does not; the message ends with the config's ``missing_data``, if it has one.
    """
    for split in splits:
        for owner, path in (*_files_of_dataset(cfg, split), *_files_of_evaluator(cfg, split)):
            if '://' not in path and not Path(path).exists():
                hint = cfg.get('missing_data') or (
                    'Set data_root, ann_file and data_prefix of the dataset to where the data '
                    'are. The digit scenes need no download: w2s digit-scenes, then '
                    'w2s train w2s_mm::digits/retinanet_baseline.py'
                )
                raise W2SError(f'{owner}: {path} does not exist. {hint}')


def _files_of_dataset(cfg: Config, split: str) -> Iterator[tuple[str, str]]:
    loader = f'{split}_dataloader'
    return _files_of(loader, (cfg.get(loader) or {}).get('dataset') or {}, cfg)


def _files_of(owner: str, config: Any, cfg: Config) -> Iterator[tuple[str, str]]:
    for dataset in _datasets(config):
        if (dataset.get('backend_args') or {}).get('backend', 'local') != 'local':
            continue  # the paths belong to another file backend, such as petrel
        prefix = dataset.get('data_prefix') or {}
        folders = prefix.values() if isinstance(prefix, dict) else [prefix]
        root = dataset.get('data_root') or ''
        names = list(filter(None, (dataset.get('ann_file'), *folders)))
        for name in names:
            yield owner, str(join_path(root, name))
        if root and not names and not _downloads(dataset, cfg.get('default_scope')):
            yield owner, str(root)


def _downloads(dataset: dict[str, Any], scope: str | None) -> bool:
    """Whether a data set downloads what is missing, as MMPretrain's CIFAR10 does by default."""
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


def refuse_another_config(
    source: str | Path,
    before: dict[str, Any],
    now: dict[str, Any],
    may_differ: Sequence[str] = MAY_DIFFER,
) -> None:
    """Refuse to continue, or to count, a run of another config.

    Args:
        source: File of that run.
        before: The settings that it was made with; types are names, see
            :func:`~w2s_mm.utils.mm.plain_types`.
        now: The same settings in the config at hand.
        may_differ: Keys that are not compared.

    Raises:
        W2SError: They differ; the message names the differences.
    """
    found = [
        f'{path}: {old!r} there, {new!r} now'
        for name in before
        for path, old, new in differences(before[name], now[name], may_differ, name)
    ]
    if found:
        shown = '\n  '.join(found[:8])
        more = f'\n  and {len(found) - 8} more' if len(found) > 8 else ''
        raise W2SError(
            f'{source} belongs to a run of another config:\n  {shown}{more}\n'
            f'Nothing was changed. Restore these settings, or start in another --work-dir.'
        )


def check_work_dir(work_dir: str | Path) -> None:
    """Check that a run can write to its work directory, without writing to it.

    Raises:
        W2SError: It cannot; the message says why.
    """
    remedy = f'Give another --work-dir than {work_dir}.'
    path = Path(work_dir).absolute()
    while not path.exists():
        path = path.parent
    if not path.is_dir():
        raise W2SError(f'{path} is not a directory. {remedy}')
    if not os.access(path, os.W_OK | os.X_OK):
        raise W2SError(f'{path} cannot be written (no permission, or a read-only disk). {remedy}')
    usage = shutil.disk_usage(path)
    if usage.total and usage.free < LEAST_FREE:  # some file systems do not tell
        raise W2SError(
            f'The disk of {path} is full ({usage.free:,} bytes free). Free some space. {remedy}'
        )
