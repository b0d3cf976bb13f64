"""``w2s compare``: train configs and a baseline with the same seeds, and report."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from w2s_mm.report import as_text, gather, write_report
from w2s_mm.report.study import check_records
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import is_missing, read_json
from w2s_mm.utils.run_files import RECORD, read_run_file
from w2s_mm.utils.settings import DISTILLATION

from .cli import options_parser, read_config, run_command
from .launch import PlannedRun, options_of, run_all

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
_SAME_HOOKS = ('WeakToStrongHook', 'TimeToTargetHook')


def compare(argv: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, then report.

    Raises:
        W2SError: Something is missing or does not fit, or a run failed.
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


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = options_parser(
        'compare',
        'Train configs and a baseline with the same seeds, and report how much sooner each config '
        'reaches the target. Run the same command again after an interruption: it continues.',
    )
    parser.add_argument(
        'configs', nargs='+', metavar='CONFIG', help='what to compare with the baseline'
    )
    parser.add_argument(
        '--baseline', required=True, metavar='CONFIG', help='the config without a teacher'
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, required=True, metavar='N', help='one pair for each seed'
    )
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='runs in parallel')
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

    The runs are in ``work_dir/<config>/seed<N>``. A finished one is not repeated, an interrupted
    one is resumed. If two runs of one seed started with different weights or saw different batches,
    all runs are stopped as soon as that is known.

    Args:
        configs: What is compared with the baseline, with or without a teacher.
        baseline: The config without a teacher.
        seeds: One pair for each.
        work_dir: Directory for runs and report.
        jobs: Runs in parallel.
        options: Settings to override; those of the distillation only where there is a teacher.

    Returns:
        Path of ``report.html``.

    Raises:
        W2SError: Something is missing or does not fit, or a run failed.
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
            plan.append(PlannedRun(Path(config).stem, config, seed, run_dir, typed))
    run_all(plan, jobs, _check_starts)

    def dirs(config: str) -> list[Path]:
        return [run.run_dir for run in plan if run.config == config]

    study = gather([path for config in configs for path in dirs(config)], dirs(baseline))
    report = write_report(study, work_dir)
    for tau in study.taus:
        for variant in study.variants:
            print(f'\n{variant.name}:\n{as_text(study, variant, tau)}')
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
            f'{", ".join(twice)} is given twice. Configs that are compared need different names.'
        )


def _read(config: str, options: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """A config and the options for it, after every check that can be made before training."""
    from .old_settings import refuse_old_settings
    from .preflight import check_data

    given = {'config': config, 'work_dir': None, 'launcher': 'none', 'local_rank': 0}
    cfg = read_config(argparse.Namespace(**given, cfg_options={}))
    if (cfg.get('model') or {}).get('teacher') is None:
        options = {k: value for k, value in options.items() if not k.startswith(DISTILLATION)}
    cfg.merge_from_dict(options)
    refuse_old_settings(cfg, config)
    check_data(cfg, ('train', 'val'))
    _check_teacher(cfg, config)
    return cfg, options_of(options)


def _check_unchanged(cfg: Any, seed: int, kept: Path) -> None:
    """Refuse a work directory in which another config has run."""
    from mmengine.config import Config

    from .preflight import refuse_another_config

    if kept.is_file():
        now = copy.deepcopy(cfg)
        now.merge_from_dict({'randomness.seed': seed})
        refuse_another_config(kept.parent, _settings(Config.fromfile(kept)), _settings(now))


def _settings(cfg: Any) -> dict[str, Any]:
    from mmengine.config import Config

    from w2s_mm.utils.mm import plain_types

    from .preflight import hook_config

    cfg = Config(plain_types(cfg))
    hooks = {kind: hook_config(cfg, kind) for kind in _SAME_HOOKS}
    return {**{name: cfg.get(name) for name in _SAME}, **hooks}


def _check_teacher(cfg: Any, config: str) -> None:
    teacher = (cfg.get('model') or {}).get('teacher') or {}
    checkpoint = teacher.get('checkpoint', '')
    if checkpoint and is_missing(checkpoint):
        theirs = teacher.get('config')
        command = f' (w2s train {theirs})' if isinstance(theirs, str) else ''
        raise W2SError(
            f'The teacher of {config} does not exist: {checkpoint}. Train it first{command}, or '
            f'set --cfg-options model.teacher.checkpoint=...'
        )


def _check_measurements(cfgs: Sequence[Any], configs: Sequence[str]) -> None:
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


def _check_starts(started: Sequence[PlannedRun]) -> None:
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


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s compare``."""
    run_command(lambda: compare(argv))
