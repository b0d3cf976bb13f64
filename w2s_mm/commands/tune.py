"""``w2s tune``: try settings of a baseline and of a student, equally many of each."""

from __future__ import annotations

import argparse
import copy
import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from w2s_mm.report import gather, save_study
from w2s_mm.report.runs import load_run
from w2s_mm.report.text import table
from w2s_mm.report.tuning import Criterion, Trial, best_trial, trial_rows
from w2s_mm.utils.errors import W2SError

from .cli import add_auto_scale_lr, all_options, options_parser, run_command
from .fair_pairs import check_measurements, check_unchanged, read_for_comparison
from .launch import Launch, PlannedRun, options_of, run_all

AS_CONFIGURED = 'as configured'
_SEED = 0  # of the drawing of trials
_LONGEST = 150  # characters of a directory's name


@dataclass(frozen=True)
class _Planned:
    """Settings of one side, and their runs."""

    options: dict[str, Any]
    runs: list[PlannedRun]


def tune(argv: Sequence[str] | None = None) -> None:
    """Train the trials of both sides, print them and write them into one file.

    Raises:
        W2SError: Something is missing or does not fit, or a run failed.
    """
    args = _arguments(argv)
    work_dir = Path(args.work_dir or f'work_dirs/tune_{Path(args.config).stem}')
    sides = {args.baseline: args.try_both, args.config: {**args.try_both, **args.try_student}}
    read = {config: read_for_comparison(config, all_options(args)) for config in sides}
    check_measurements([cfg for cfg, _ in read.values()], list(sides))
    grids = {config: _grid(read[config][0], tried) for config, tried in sides.items()}
    count = args.trials or min(map(len, grids.values()))
    plan = {}
    for config, grid in grids.items():
        if count > len(grid):
            raise W2SError(
                f'--trials is {count}, and the settings of {config} have {len(grid)} combinations. '
                f'Both sides get the same number: give more values with --try, or fewer trials.'
            )
        drawn = [grid[0], *random.Random(_SEED).sample(grid[1:], count - 1)]
        plan[config] = [
            _planned(config, *read[config], options, args.seeds, work_dir) for options in drawn
        ]
    everything = [run for trials in plan.values() for trial in trials for run in trial.runs]
    run_all(everything, Launch(args.jobs))
    out = work_dir / 'tuning.json.gz'
    for config, trials in plan.items():
        dirs = [run.run_dir for trial in trials for run in trial.runs]
        save_study(out, gather(dirs), Path(config).stem)
        _print(config, trials, args.by)
    print(f'All trials: {out}, w2s report {out} --group {Path(args.config).stem}')


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    from mmengine.config import DictAction

    parser = options_parser(
        'tune',
        'Try settings of a baseline and of a student on seeds for tuning: the same number of '
        'trials for both, the same criterion, one file with all runs. The first trial of each is '
        'its config as it is. Run the same command again after an interruption: it continues.',
    )
    parser.add_argument('config', metavar='CONFIG', help='the student')
    parser.add_argument(
        '--baseline', required=True, metavar='CONFIG', help='the config without a teacher'
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, required=True, metavar='N', help='not those reported later'
    )
    for name, what in (('--try', 'both'), ('--try-student', 'the student')):
        parser.add_argument(
            name,
            nargs='+',
            action=DictAction,
            default={},
            dest='try_both' if what == 'both' else 'try_student',
            metavar='KEY=V1,V2',
            help=f'values of a setting of {what}, such as optim_wrapper.optimizer.lr=0.05,0.2',
        )
    parser.add_argument(
        '--trials',
        type=int,
        metavar='N',
        help='settings tried of each side, drawn from all combinations; by default as many as the '
        'side with fewer combinations has',
    )
    parser.add_argument(
        '--by',
        choices=['final', 'first'],
        default='final',
        help='what is best: the final metric, or the earliest time at the first target; default: '
        '%(default)s',
    )
    add_auto_scale_lr(parser)
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='runs in parallel')
    args = parser.parse_args(argv)
    if args.trials is not None and args.trials < 1:
        raise W2SError(f'--trials is {args.trials}; expected at least 1.')
    if not args.try_both and not args.try_student:
        raise W2SError('Nothing to try. Type --try optim_wrapper.optimizer.lr=0.05,0.2')
    return args


def _grid(cfg: Any, tried: dict[str, Any]) -> list[dict[str, Any]]:
    """All combinations, the config as it is first."""
    values = {key: each if isinstance(each, list) else [each] for key, each in tried.items()}
    now = {}
    for key in values:
        try:
            now[key] = _value(cfg, key)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise W2SError(
                f'{key} is not set in the config, so that its present value is not known. Set it '
                f'there, or check the spelling.'
            ) from error
    found: list[dict[str, Any]] = [{}]
    for combination in product(*([now[key], *each] for key, each in values.items())):
        options = dict(zip(values, combination, strict=True))
        changed = {key: value for key, value in options.items() if value != now[key]}
        if changed not in found:
            found.append(changed)
    return found


def _value(cfg: Any, key: str) -> Any:
    for part in key.split('.'):
        cfg = cfg[int(part)] if isinstance(cfg, (list, tuple)) else cfg[part]
    return cfg


def _planned(
    config: str,
    cfg: Any,
    typed: tuple[str, ...],
    options: dict[str, Any],
    seeds: Sequence[int],
    work_dir: Path,
) -> _Planned:
    changed = copy.deepcopy(cfg)
    changed.merge_from_dict(options)
    text = ' '.join(options_of(options))
    label = _label(text)
    runs = []
    for seed in seeds:
        run_dir = work_dir / Path(config).stem / label / f'seed{seed}'
        check_unchanged(changed, seed, run_dir / Path(config).name)
        name = f'{Path(config).stem} {text or AS_CONFIGURED}'
        runs.append(PlannedRun(name, config, seed, run_dir, (*typed, *options_of(options))))
    return _Planned(options, runs)


def _label(text: str) -> str:
    """The settings as the name of a directory."""
    name = re.sub(r'[^\w.,=+-]+', ',', text) or 'as_configured'
    if len(name) <= _LONGEST:
        return name
    return f'{name[:_LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}'


def _print(config: str, planned: Sequence[_Planned], by: Criterion) -> None:
    trials = [
        Trial(
            ' '.join(options_of(each.options)) or AS_CONFIGURED,
            [load_run(run.run_dir) for run in each.runs],
        )
        for each in planned
    ]
    header, rows = trial_rows(trials)
    print('\n'.join(['', config, '', *table(header, rows)]))
    best = best_trial(trials, by)
    print(f'Best by {by}: {best.name if best else "none, as no trial has a result"}')


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s tune``."""
    run_command(lambda: tune(argv))
