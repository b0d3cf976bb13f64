"""``w2s compare``: train configs and a baseline with the same seeds, and report."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from w2s_mm.report import as_text, gather, write_report
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.settings import START

from .budget import shorten
from .cli import add_auto_scale_lr, all_options, options_parser, run_command
from .fair_pairs import check_measurements, check_starts, check_unchanged, read_for_comparison
from .launch import DEFAULT, Launch, PlannedRun, run_all

_RATES = (0.5, 1.0, 2.0)  # times the learning rate of the baseline


def compare(argv: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, then report.

    Raises:
        W2SError: Something is missing or does not fit, or a run failed.
    """
    args = _arguments(argv)
    if not args.check_rate and not args.rate_not_checked:
        raise W2SError(
            'A speedup over a baseline with a bad learning rate means little. Type --check-rate '
            'SEED (a seed for tuning, not one of --seeds) to train the baseline there at half, '
            'once and twice its learning rate too, or --rate-not-checked to have the report say '
            'that it was not done.'
        )
    compare_configs(
        args.configs,
        args.baseline,
        args.seeds,
        Path(args.work_dir or f'work_dirs/compare_{Path(args.configs[0]).stem}'),
        launch=Launch(args.jobs, args.launcher, args.gpus_per_run, args.gpus_per_node),
        options=all_options(args),
        teachers=args.teachers,
        budgets=args.budgets,
        margin=args.margin,
        check_rate=args.check_rate,
        sustained=args.sustained,
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
    parser.add_argument(
        '--teachers',
        nargs='+',
        default=[],
        metavar='CHECKPOINT',
        help='teachers of the same config trained with different seeds: the pairs have them in '
        'turn, so that the result is not that of one teacher',
    )
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        '--check-rate',
        nargs='+',
        type=int,
        default=[],
        metavar='SEED',
        help='train the baseline with these seeds at half, once and twice its learning rate too',
    )
    rate.add_argument(
        '--rate-not-checked',
        action='store_true',
        help='leave that out; the report says so',
    )
    parser.add_argument(
        '--budgets',
        nargs='+',
        type=float,
        default=[],
        metavar='PART',
        help='train all configs for these parts of their length too, such as 0.75 0.5, and report '
        "the smallest whose final metric is not inferior to the full baseline's",
    )
    parser.add_argument(
        '--margin',
        type=float,
        metavar='M',
        help='with --budgets: how much worse the final metric may be; AP is between 0 and 1 here',
    )
    parser.add_argument(
        '--sustained',
        action='store_true',
        help='the headline counts a crossing only if it holds for k validations in a row',
    )
    add_auto_scale_lr(parser)
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='runs in parallel')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm'],
        help='how a run is started; by default pytorch (torchrun) with --gpus-per-run above 1. '
        'Slurm: srun with the arguments in $SRUN_ARGS',
    )
    parser.add_argument(
        '--gpus-per-run', type=int, default=1, metavar='N', help='GPUs of a run; default: 1'
    )
    parser.add_argument(
        '--gpus-per-node', type=int, default=8, metavar='N', help='under Slurm; default: 8'
    )
    args = parser.parse_args(argv)
    args.launcher = args.launcher or ('pytorch' if args.gpus_per_run > 1 else 'none')
    return args


def compare_configs(
    configs: Sequence[str],
    baseline: str,
    seeds: Sequence[int],
    work_dir: Path,
    *,
    launch: Launch = DEFAULT,
    options: dict[str, Any] | None = None,
    teachers: Sequence[str] = (),
    budgets: Sequence[float] = (),
    margin: float | None = None,
    check_rate: Sequence[int] = (),
    sustained: bool = False,
) -> Path:
    """Train every config with every seed, and write the report into ``work_dir``.

    The runs are in ``work_dir/<config>/seed<N>``, those to shorter ends in
    ``work_dir/<config>/budget<B>/seed<N>``, those with other learning rates in
    ``work_dir/<baseline>/rate<R>/seed<N>``. A finished one is not repeated, an interrupted one is
    resumed. If two runs of one seed started with different weights or saw different batches, all
    runs are stopped as soon as that is known.

    Args:
        configs: What is compared with the baseline, with or without a teacher.
        baseline: The config without a teacher.
        seeds: One pair for each.
        work_dir: Directory for runs and report.
        launch: How runs are started.
        options: Settings to override; those of the distillation only where there is a teacher.
        teachers: Checkpoints in the place of the configs' own; the pairs have them in turn.
        budgets: Parts of the length for which everything is trained too.
        margin: How much worse the final metric of such a run may be.
        check_rate: Seeds with which the baseline is trained at other learning rates.
        sustained: Whether the headline counts a crossing only if it holds for k validations.

    Returns:
        Path of ``report.html``.

    Raises:
        W2SError: Something is missing or does not fit, or a run failed.
    """
    _check_arguments(configs, baseline, seeds, launch, teachers)
    budgets = _checked_budgets(budgets, margin)
    repeated = sorted({*seeds} & {*check_rate})
    if repeated:
        raise W2SError(f'--check-rate has {repeated}, which --seeds reports. Choose other seeds.')
    everyone = [baseline, *configs]
    processes = launch.gpus_per_run
    with_teacher = [{**(options or {}), **each} for each in _teacher_options(teachers)]
    read = [
        {config: read_for_comparison(config, each, processes) for config in everyone}
        for each in with_teacher
    ]
    check_measurements([cfg for cfg, _ in read[0].values()], everyone)
    rates = _rate_runs(baseline, *read[0][baseline], check_rate, work_dir, processes)
    plan = []
    for budget in (1.0, *budgets):
        for seed, configs_read in zip(seeds, cycle(read), strict=False):
            for config in everyone:
                cfg, typed = configs_read[config]
                plan.append(_planned(config, cfg, typed, seed, work_dir, budget, processes))
    run_all([*rates, *plan], launch, check_starts)

    def dirs(config: str) -> list[Path]:
        return [run.run_dir for run in plan if run.config == config]

    study = gather(
        [path for config in configs for path in dirs(config)],
        dirs(baseline),
        rate_dirs=[run.run_dir for run in rates],
        sustained=sustained,
        margin=margin,
    )
    report = write_report(study, work_dir)
    for tau in study.taus:
        for variant in study.variants:
            print(f'\n{variant.name}:\n{as_text(study, variant, tau)}')
    print(f'\nReport: {report} (also report.md, report.json)')
    return report


def _teacher_options(teachers: Sequence[str]) -> list[dict[str, Any]]:
    """Settings that choose each of the teachers, whose answers or weights a config uses."""
    keys = ('model.teacher.checkpoint', f'{START}.checkpoint')
    return [{key: teacher for key in keys} for teacher in teachers] or [{}]


def _planned(
    config: str,
    cfg: Any,
    typed: tuple[str, ...],
    seed: int,
    work_dir: Path,
    budget: float,
    processes: int,
) -> PlannedRun:
    """A run for the pairs, in a directory in which no other config has run."""
    name = Path(config).stem
    run_dir = work_dir / name / f'seed{seed}'
    if budget != 1:
        run_dir = work_dir / name / f'budget{budget:g}' / f'seed{seed}'
        cfg = copy.deepcopy(cfg)
        shorten(cfg, budget)
        name += f', budget {budget:g}'
    check_unchanged(cfg, seed, run_dir / Path(config).name, processes)
    return PlannedRun(name, config, seed, run_dir, typed, budget)


def _rate_runs(
    baseline: str,
    cfg: Any,
    typed: tuple[str, ...],
    seeds: Sequence[int],
    work_dir: Path,
    processes: int,
) -> list[PlannedRun]:
    """The baseline at half, once and twice its learning rate."""
    if not seeds:
        return []
    rate = (cfg.optim_wrapper.get('optimizer') or {}).get('lr')
    if not isinstance(rate, (int, float)):
        raise W2SError(
            f'--check-rate: {baseline} has no optim_wrapper.optimizer.lr, so it cannot be halved '
            f'and doubled. Compare it with other rates yourself, and type --rate-not-checked.'
        )
    plan = []
    for seed in seeds:
        for factor in _RATES:
            changed = copy.deepcopy(cfg)
            changed.optim_wrapper.optimizer.lr = factor * rate
            name = Path(baseline).stem
            run_dir = work_dir / name / f'rate{factor:g}' / f'seed{seed}'
            check_unchanged(changed, seed, run_dir / Path(baseline).name, processes)
            option = f'optim_wrapper.optimizer.lr={factor * rate!r}'
            label = f'{name}, {factor:g} x learning rate'
            plan.append(PlannedRun(label, baseline, seed, run_dir, (*typed, option)))
    return plan


def _checked_budgets(budgets: Sequence[float], margin: float | None) -> list[float]:
    if any(not 0 < budget <= 1 for budget in budgets):
        raise W2SError(
            f'--budgets is {list(budgets)}; expected parts of the run, such as 0.75 0.5.'
        )
    if budgets and (margin is None or margin < 0):
        raise W2SError(
            f'--budgets needs --margin, fixed before the runs: how much worse the final metric may '
            f'be and still count as not inferior. Found {margin}. Type --margin 0.01 for one point '
            f'of AP, --margin 1 for one of Top-1.'
        )
    return sorted({budget for budget in budgets if budget < 1}, reverse=True)


def _check_arguments(
    configs: Sequence[str],
    baseline: str,
    seeds: Sequence[int],
    launch: Launch,
    teachers: Sequence[str],
) -> None:
    repeated = sorted({seed for seed in seeds if list(seeds).count(seed) > 1})
    if repeated:
        raise W2SError(f'--seeds has {repeated} more than once. Give each seed once.')
    if any(seed < 0 for seed in seeds):
        raise W2SError(f'--seeds has a negative number: {list(seeds)}.')
    if len(teachers) > len(seeds):
        raise W2SError(
            f'--teachers has {len(teachers)} checkpoints for {len(seeds)} seeds: the last would '
            f'teach nobody. Give more seeds, or fewer teachers.'
        )
    for name, value in (('--jobs', launch.jobs), ('--gpus-per-run', launch.gpus_per_run)):
        if value < 1:
            raise W2SError(f'{name} is {value}; expected at least 1.')
    if launch.launcher == 'none' and launch.gpus_per_run > 1:
        raise W2SError('--gpus-per-run above 1 needs --launcher pytorch or slurm.')
    stems = [Path(config).stem for config in (baseline, *configs)]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise W2SError(
            f'{", ".join(twice)} is given twice. Configs that are compared need different names.'
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s compare``."""
    run_command(lambda: compare(argv))
