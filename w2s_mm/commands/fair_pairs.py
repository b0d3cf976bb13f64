"""What must hold of runs that are compared; checked before and while they train."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from w2s_mm.report.gather import check_records
from w2s_mm.utils.batch import total_batch
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import is_missing, read_json
from w2s_mm.utils.run_files import RECORD, read_run_file
from w2s_mm.utils.settings import DISTILLATION, START

from .cli import read_config
from .launch import PlannedRun, options_of

# What decides a run's result, and how it is measured.
_SAME = (
    'model',
    'train_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'val_dataloader',
    'val_evaluator',
    'randomness',
    'custom_hooks',
)
_SAME_HOOKS = ('WeakToStrongHook', 'TimeToTargetHook', 'StartHook')


def read_for_comparison(
    config: str, options: dict[str, Any], processes: int = 1
) -> tuple[Any, tuple[str, ...]]:
    """A config and the options for it, after every check that can be made before training."""
    from .batch import check_batch
    from .old_settings import refuse_old_settings
    from .preflight import check_data

    given = {'config': config, 'work_dir': None, 'launcher': 'none', 'local_rank': 0}
    cfg = read_config(argparse.Namespace(**given, cfg_options={}))
    if (cfg.get('model') or {}).get('teacher') is None:
        options = {k: value for k, value in options.items() if not k.startswith(DISTILLATION)}
    if 'start' not in (cfg.get('default_hooks') or {}):
        options = {k: value for k, value in options.items() if not k.startswith(START)}
    cfg.merge_from_dict(options)
    refuse_old_settings(cfg, config)
    check_data(cfg, ('train', 'val'))
    check_batch(cfg, config, processes, '--gpus-per-run {}')
    _check_teacher(cfg, config)
    return cfg, options_of(options)


def check_unchanged(cfg: Any, seed: int, kept: Path, processes: int = 1) -> None:
    """Refuse a work directory in which another config has run, or with another total batch."""
    from w2s_mm.utils.mm import config_from_text

    from .batch import add_batch
    from .preflight import refuse_another_config

    if kept.is_file():
        now = copy.deepcopy(cfg)
        now.merge_from_dict({'randomness.seed': seed})
        there, now = _settings(config_from_text(kept.read_text())), _settings(now)
        add_batch(there, now, read_json(kept.parent / RECORD), total_batch(cfg, processes))
        refuse_another_config(kept.parent, there, now)


def _settings(cfg: Any) -> dict[str, Any]:
    from mmengine.config import Config

    from w2s_mm.utils.mm import plain_types

    from .preflight import hook_config

    cfg = Config(plain_types(cfg))
    hooks = {kind: hook_config(cfg, kind) for kind in _SAME_HOOKS}
    return {**{name: cfg.get(name) for name in _SAME}, **hooks}


def _check_teacher(cfg: Any, config: str) -> None:
    owners = {
        'model.teacher': (cfg.get('model') or {}).get('teacher') or {},
        START: (cfg.get('default_hooks') or {}).get('start') or {},
    }
    for owner, teacher in owners.items():
        checkpoint = teacher.get('checkpoint')
        if checkpoint and is_missing(checkpoint):
            theirs = teacher.get('config')
            command = f' (w2s train {theirs})' if isinstance(theirs, str) else ''
            raise W2SError(
                f'The teacher of {config} does not exist: {checkpoint}. Train it first{command}, '
                f'or set --cfg-options {owner}.checkpoint=...'
            )


def check_measurements(cfgs: Sequence[Any], configs: Sequence[str]) -> None:
    """All runs must measure the same thing at the same iterations."""
    from .preflight import hook_config

    facts = []
    for cfg, config in zip(cfgs, configs, strict=True):
        hook = hook_config(cfg, 'TimeToTargetHook')
        if hook is None:
            raise W2SError(
                f'{config} does not measure its time to target. Add default_hooks = '
                f"dict(time_to_target=dict(type='TimeToTargetHook', metric=..., thresholds=[...]))."
            )
        train = cfg.train_cfg
        facts.append(
            {
                'metric': hook['metric'],
                'rule': hook.get('rule', 'greater'),
                'thresholds': list(hook['thresholds']),
                'k of TimeToTargetHook': hook.get('k', 2),
                'train_cfg.val_interval': train.get('val_interval', 1),
                'length of the run': train.get('max_iters') or train.get('max_epochs'),
            }
        )
    for config, fact in zip(configs, facts, strict=True):
        for what, value in fact.items():
            if value != facts[0][what]:
                raise W2SError(
                    f'{configs[0]} and {config} differ in {what}: {facts[0][what]!r} and '
                    f'{value!r}. Runs are compared only if they are measured alike: set both to '
                    f'the same value.'
                )


def check_starts(started: Sequence[PlannedRun]) -> None:
    """Compare the starts of the runs of each seed, as far as they are written."""
    first: dict[int, tuple[Path, dict[str, Any]]] = {}
    for run in started:
        path = run.run_dir / RECORD
        if read_json(path) is None:  # not written yet, or cut short: its run writes it again
            continue
        record = read_run_file(path)
        if run.seed in first:
            other_path, other = first[run.seed]
            check_records(other, record, other_path, run.run_dir)
        else:
            first[run.seed] = (run.run_dir, record)
