"""When paired runs reach a level of the metric; runs that never reach it are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from w2s_mm.core.metric import is_fraction
from w2s_mm.utils.errors import W2SError

from .levels import Level
from .runs import Clock, Run
from .statistics import (
    Crossing,
    Interval,
    Signs,
    Speedup,
    crossing,
    final_and_best,
    mean_run,
    median_speedup,
    ratio_interval,
    sign_test,
    speedup,
    t_interval,
)


@dataclass(frozen=True)
class Pair:
    """One seed: the baseline and ours, either of which may be missing.

    ``tau`` is the value that is to be reached, or None where the runs do not have it.
    """

    seed: int | None
    baseline: Run | None
    ours: Run | None
    tau: float | None
    baseline_at: Crossing | None
    ours_at: Crossing | None
    speedup: Speedup | None


@dataclass(frozen=True)
class Comparison:
    """All pairs at one level.

    Attributes:
        metric: Name of the metric.
        level: What is to be reached.
        clock: Unit of the times.
        hits_in_a_row: 1, or the ``k`` of a sustained crossing.
        pairs: One a seed, in the order of the seeds.
        median: Median of the speedups, or None where no seed has both runs.
        interval: Geometric mean of the speedups with its t interval, or None.
        signs: How many pairs were faster and slower.
        final: Final metric of ours minus the baseline's, mean of the pairs with its t interval;
            None for fewer than two pairs.
        mean: The mean curves of those pairs, compared like a pair (its seed is None); it is the
            headline. None where no seed has both runs, or there is no baseline.
        with_baseline: Whether there is a baseline.
        notes: What a reader should know before using the figures.
    """

    metric: str
    level: Level
    clock: Clock
    hits_in_a_row: int
    pairs: list[Pair]
    median: Speedup | None
    interval: Interval | None
    signs: Signs
    final: Interval | None
    mean: Pair | None
    with_baseline: bool
    notes: list[str]


def compare(
    runs: Sequence[Run],
    baselines: Sequence[Run] = (),
    *,
    level: Level,
    clock: Clock = 'iter',
    sustained: bool = False,
) -> Comparison:
    """Pair ``runs`` with ``baselines`` by seed and compare when they reach ``level``.

    Args:
        runs: Ours; at least one.
        baselines: The same runs without a teacher. If there are none, runs are only measured, and
            may share seeds.
        level: What is to be reached, on the scale of the metric in the files.
        clock: Unit of time.
        sustained: Count a crossing only if it holds for ``hits_in_a_row`` validations. The
            baseline's final metric is reached as soon as one validation reaches it: its last
            validation has none after it.

    Raises:
        W2SError: The runs measure different things, two on one side share a seed, or a target is
            outside the metric's range.
    """
    everyone = [*runs, *baselines]
    sustained = sustained and level.kind != 'final'
    _check_comparable(everyone, level)
    by_seed = [_by_seed(runs, 'runs'), _by_seed(baselines, 'baselines')] if baselines else []
    if by_seed:
        seeds = sorted({*by_seed[0], *by_seed[1]}, key=lambda seed: (seed is None, seed or 0))
        couples = [(by_seed[1].get(seed), by_seed[0].get(seed)) for seed in seeds]
    else:
        couples = [(None, run) for run in runs]

    pairs = [_pair(base, ours, level, clock, sustained) for base, ours in couples]
    both = [pair for pair in pairs if pair.baseline and pair.ours]
    ratios = [pair.speedup for pair in both if pair.speedup]
    mean = None
    if both:
        sides = [pair.baseline for pair in both], [pair.ours for pair in both]
        base, ours = (mean_run([run for run in side if run]) for side in sides)
        mean = _pair(base, ours, level, clock, sustained)
    return Comparison(
        metric=runs[0].metric,
        level=level,
        clock=clock,
        hits_in_a_row=runs[0].hits_in_a_row if sustained else 1,
        pairs=pairs,
        median=median_speedup(ratios) if ratios else None,
        interval=ratio_interval(ratios),
        signs=sign_test(ratios),
        final=final_difference(both),
        mean=mean,
        with_baseline=bool(baselines),
        notes=_notes(everyone, pairs, bool(baselines)),
    )


def final_difference(pairs: Sequence[Pair]) -> Interval | None:
    """Final metric of ours minus that of the baseline: mean of the pairs with its t interval."""
    ends = [[final_and_best(run)[0] for run in (pair.ours, pair.baseline) if run] for pair in pairs]
    return t_interval([end[0] - end[1] for end in ends if len(end) == 2])


def _pair(
    baseline: Run | None, ours: Run | None, level: Level, clock: Clock, sustained: bool
) -> Pair:
    tau = level.of(baseline, ours)
    base_at = crossing(baseline, tau, clock, sustained) if baseline and tau is not None else None
    ours_at = crossing(ours, tau, clock, sustained) if ours and tau is not None else None
    ratio = speedup(base_at, ours_at) if base_at and ours_at else None
    either = ours or baseline
    return Pair(either.seed if either else None, baseline, ours, tau, base_at, ours_at, ratio)


def _check_comparable(runs: Sequence[Run], level: Level) -> None:
    first = runs[0]
    for run in runs[1:]:
        for what in ('metric', 'rule', 'hits_in_a_row'):
            if getattr(run, what) != getattr(first, what):
                raise W2SError(
                    f'Runs that are compared must agree in {what}: {first.path} has '
                    f'{getattr(first, what)!r}, {run.path} has {getattr(run, what)!r}.'
                )
    for run in runs[1:]:
        _check_same_grid(first, run)
    tau = level.number
    if level.kind == 'target' and (
        not math.isfinite(tau) or (is_fraction(first.metric) and not 0 < tau <= 1)
    ):
        raise W2SError(
            f'tau is {tau:g}, but {first.metric} of {first.path} lies between 0 and 1. '
            'For an AP of 20 type: --tau 0.2'
        )


def _check_same_grid(one: Run, other: Run) -> None:
    """Require the same validations as far as both runs go; the last may be that of an early end.

    first@tau is always a validation: on another grid it is another quantity.
    """
    grids = [[point['iter'] for point in run.history] for run in (one, other)]
    both = min(map(len, grids))
    both = max(both - 1, min(both, 1))
    if grids[0][:both] != grids[1][:both]:
        shown = [f'{grid[:3]}'.rstrip(']') + ', ...]' for grid in grids]
        raise W2SError(
            f'{one.path} and {other.path} were validated at different iterations: {shown[0]} and '
            f'{shown[1]}. Runs that are compared need the same train_cfg.val_interval (in '
            f'iterations): repeat one of them.'
        )


def _by_seed(runs: Sequence[Run], side: str) -> dict[int | None, Run]:
    found: dict[int | None, Run] = {}
    for run in runs:
        if run.seed in found:
            raise W2SError(
                f'Two {side} have seed {run.seed}: {found[run.seed].path} and {run.path}. '
                'Pairs are formed by seed: leave one of them out.'
            )
        found[run.seed] = run
    return found


def _notes(runs: Sequence[Run], pairs: Sequence[Pair], with_baseline: bool) -> list[str]:
    notes = []
    unfinished = [run.name for run in runs if not run.finished]
    if unfinished:
        notes.append(f'Not finished: {", ".join(unfinished)}. The figures may still change.')
    empty = [run.name for run in runs if not run.history]
    if empty:
        notes.append(f'Not yet validated: {", ".join(empty)}.')
    alone = [str(pair.seed) for pair in pairs if not (pair.baseline and pair.ours)]
    if with_baseline and alone:
        notes.append(f'No partner of the same seed, not in the median: seed {", ".join(alone)}.')
    for run in runs:
        answers, dropped = run.answers
        if dropped:
            notes.append(
                f'{run.name}: {dropped:,} of the {answers:,} answers of the teacher had NaN or '
                f'infinity and were ignored.'
            )
    if len({run.max_iters for run in runs}) > 1:
        notes.append('The runs have different planned lengths.')
    return notes
