"""The command that trains a baseline and what is held against it, and reports."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from w2s_mm.report import as_text, gather, write_report
from w2s_mm.report.study import check_records
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import is_missing
from w2s_mm.utils.run_files import RECORD, read_run_file

from .cli import options_parser, read_config, run_command
from .runs import Training, options_of, run_trainings

# What makes a training the training it is, and its measurement the measurement it is.
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
    'default_hooks.weak_to_strong',
    'default_hooks.time_to_target',
)
# Settings of the teaching, which a config without a teacher does not have.
_TEACHING = ('model.teacher', 'model.distill_head', 'model.gamma', 'default_hooks.weak_to_strong')


def compare(argv: list[str] | None = None) -> None:
    """Train what is not trained yet, then report.

    Raises:
        W2SError: Something is missing or does not fit, or a training failed.
    """
    args = _arguments(argv)
    compare_configs(
        args.configs,
        args.baseline,
        args.seeds,
        Path(args.work_dir or f'work_dirs/compare_{Path(args.configs[0]).stem}'),
        args.jobs,
        args.cfg_options,
    )


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = options_parser(
        'Train one or several configs and their baseline with the same seeds, and report how much '
        'sooner each reaches the target. The same command goes on where it stopped.'
    )
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='what is held against it')
    parser.add_argument('--baseline', required=True, metavar='CONFIG', help='the training as it is')
    parser.add_argument('--seeds', nargs='+', type=int, required=True, metavar='N')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='trainings side by side')
    return parser.parse_args(argv)


def compare_configs(
    configs: Sequence[str],
    baseline: str,
    seeds: Sequence[int],
    work_dir: Path,
    jobs: int = 1,
    options: dict[str, Any] | None = None,
) -> Path:
    """Train every config with every seed, and write the report into ``work_dir``.

    The runs lie in ``work_dir/<config>/seed<N>``. A finished one is not run again, an interrupted
    one goes on. As soon as two runs of one seed tell that they began with other weights or were fed
    other batches, all is stopped.

    Args:
        configs: What is held against the baseline; with or without a teacher.
        baseline: The training as it is.
        seeds: One pair each.
        work_dir: Where runs and report go.
        jobs: Trainings side by side.
        options: Settings to override; those of the teaching only where there is a teacher.

    Returns:
        Path of ``report.html``.

    Raises:
        W2SError: Something is missing or does not fit, or a training failed.
    """
    _check_arguments(configs, baseline, seeds, jobs)
    everyone = [baseline, *configs]
    read = {config: _read(config, options or {}) for config in everyone}
    _check_measurements([cfg for cfg, _ in read.values()], everyone)
    plan = []
    for seed in seeds:
        for config in everyone:
            cfg, typed = read[config]
            run_dir = work_dir / Path(config).stem / f'seed{seed}'
            _check_unchanged(cfg, seed, run_dir / Path(config).name)
            plan.append(Training(Path(config).stem, config, seed, run_dir, typed))
    run_trainings(plan, jobs, _check_starts)

    def dirs(config: str) -> list[Path]:
        return [training.run_dir for training in plan if training.config == config]

    study = gather([path for config in configs for path in dirs(config)], dirs(baseline))
    report = write_report(study, work_dir)
    for tau in study.taus:
        for variant in study.variants:
            print(f'\n{variant.name}:\n{as_text(study.compare(variant, tau))}')
    print(f'\nReport: {report} (also report.md, report.json)')
    return report


def _check_arguments(
    configs: Sequence[str], baseline: str, seeds: Sequence[int], jobs: int
) -> None:
    repeated = sorted({seed for seed in seeds if list(seeds).count(seed) > 1})
    if repeated:
        raise W2SError(f'--seeds has {repeated} more than once. Give each seed once.')
    if any(seed < 0 for seed in seeds):
        raise W2SError(f'--seeds has a negative number: {list(seeds)}.')
    if jobs < 1:
        raise W2SError(f'--jobs is {jobs}; expected at least 1.')
    stems = [Path(config).stem for config in (baseline, *configs)]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise W2SError(
            f'{", ".join(twice)} is given twice. Configs that are compared need names of their own.'
        )


def _read(config: str, options: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """A config and the options for it, after every check that can be made before training."""
    from .preflight import check_data

    given = {'config': config, 'work_dir': None, 'launcher': 'none', 'local_rank': 0}
    cfg = read_config(argparse.Namespace(**given, cfg_options={}))
    if (cfg.get('model') or {}).get('teacher') is None:
        options = {key: value for key, value in options.items() if not key.startswith(_TEACHING)}
    cfg.merge_from_dict(options)
    check_data(cfg, ('train', 'val'))
    _check_teacher(cfg, config)
    return cfg, options_of(options)


def _check_unchanged(cfg: Any, seed: int, kept: Path) -> None:
    """Refuse a work directory in which another configuration has run."""
    from mmengine.config import Config

    from .preflight import refuse_another_config

    if kept.is_file():
        now = copy.deepcopy(cfg)
        now.merge_from_dict({'randomness.seed': seed})
        refuse_another_config(kept.parent, Config.fromfile(kept), now, _SAME, strict=True)


def _check_teacher(cfg: Any, config: str) -> None:
    teacher = (cfg.get('model') or {}).get('teacher') or {}
    checkpoint = teacher.get('checkpoint', '')
    if checkpoint and is_missing(checkpoint):
        raise W2SError(
            f'The teacher of {config} is not there: {checkpoint}. Train it first (python '
            f'tools/train.py {teacher["config"]}), or say '
            f'--cfg-options model.teacher.checkpoint=...'
        )


def _check_measurements(cfgs: Sequence[Any], configs: Sequence[str]) -> None:
    """All must measure the same thing at the same times."""
    facts = []
    for cfg, config in zip(cfgs, configs, strict=True):
        hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
        found = [h for h in hooks if h and h.get('type') in ('TimeToTargetHook',)]
        if not found:
            raise W2SError(
                f'{config} does not measure its time to target. Add default_hooks = '
                f'dict(**..., time_to_target=dict(type="TimeToTargetHook", metric=..., '
                f'thresholds=[...])), or _base_.measure_hooks of configs/_base_/w2s_detection.py.'
            )
        (hook,) = found
        train = cfg.train_cfg
        facts.append(
            {
                'metric': hook['metric'],
                'rule': hook.get('rule', 'greater'),
                'thresholds': list(hook['thresholds']),
                'hits in a row (k)': hook.get('k', 2),
                'train_cfg.val_interval': train.get('val_interval', 1),
                'length of the training': train.get('max_iters') or train.get('max_epochs'),
            }
        )
    for config, fact in zip(configs, facts, strict=True):
        for what, value in fact.items():
            if value != facts[0][what]:
                raise W2SError(
                    f'{configs[0]} and {config} differ in {what}: {facts[0][what]!r} and '
                    f'{value!r}. What is compared must be measured alike: make them agree.'
                )


def _check_starts(started: Sequence[Training]) -> None:
    """Stop as soon as two runs of one seed tell of another start."""
    first: dict[int, tuple[Path, dict[str, Any]]] = {}
    for training in started:
        path = training.run_dir / RECORD
        if not path.is_file():
            continue
        record = read_run_file(path)
        if training.seed in first:
            other_path, other = first[training.seed]
            check_records(other, record, other_path, training.run_dir)
        else:
            first[training.seed] = (training.run_dir, record)


def main() -> None:
    """Entry point of ``tools/compare.py``."""
    run_command(compare, resume='Type the same again: it goes on where it stopped.')
