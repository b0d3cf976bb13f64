"""first@tau of runs, paired by seed, with the runs that never arrive kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from w2s_mm.core.errors import W2SError
from w2s_mm.core.first_at import sustained_at
from w2s_mm.core.gate import surpasses

from .runs import Clock, Run


@dataclass(frozen=True)
class Crossing:
    """When a run reached the target: at ``time``, or (censored) not up to ``time``."""

    time: float
    reached: bool


@dataclass(frozen=True)
class Speedup:
    """Baseline's time over ours, known to lie between ``low`` and ``high``.

    Equal bounds are an exact value. A baseline that never arrives leaves ``high`` infinite, a run
    of ours that never arrives leaves ``low`` 0, and both together say nothing: 0 to infinity.
    """

    low: float = 0.0
    high: float = math.inf

    @property
    def exact(self) -> bool:
        """Whether the value itself is known."""
        return self.low == self.high

    @property
    def unknown(self) -> bool:
        """Whether nothing is known."""
        return self.low == 0 and self.high == math.inf


@dataclass(frozen=True)
class Pair:
    """One seed: the baseline and ours, either of which may be missing."""

    seed: int | None
    baseline: Run | None
    ours: Run | None
    baseline_at: Crossing | None
    ours_at: Crossing | None
    speedup: Speedup | None


@dataclass(frozen=True)
class Comparison:
    """All pairs at one target.

    Attributes:
        metric: Name of the metric.
        tau: The target.
        clock: What times are counted in.
        hits_in_a_row: 1, or the ``k`` of a sustained crossing.
        pairs: One a seed, in the order of the seeds.
        median: Of the speedups, or None where no seed has both runs.
        with_baseline: Whether there was anything to compare with.
        notes: What a reader should know before trusting the figures.
    """

    metric: str
    tau: float
    clock: Clock
    hits_in_a_row: int
    pairs: list[Pair]
    median: Speedup | None
    with_baseline: bool
    notes: list[str]


def crossing(run: Run, tau: float, clock: Clock = 'iter', sustained: bool = False) -> Crossing:
    """first@tau of a run, or of its first sustained crossing.

    A run that has not arrived is censored at its last evaluation; a sustained crossing may have
    begun in the hits at the very end, so there it is the last evaluation that missed.
    """
    index = sustained_at(run.values, tau, run.rule, run.hits_in_a_row if sustained else 1)
    times = run.times(clock)
    if index is not None:
        return Crossing(times[index], reached=True)
    misses = [
        time
        for time, value in zip(times, run.values, strict=True)
        if not surpasses(value, tau, run.rule)
    ]
    return Crossing(misses[-1] if misses else 0, reached=False)


def speedup(baseline: Crossing, ours: Crossing) -> Speedup:
    """Baseline's time over ours, as far as it is known."""
    if baseline.time == ours.time == 0:
        ratio = 1.0
    else:
        ratio = baseline.time / ours.time if ours.time else math.inf
    if baseline.reached and ours.reached:
        return Speedup(ratio, ratio)
    if ours.reached:
        return Speedup(low=ratio)
    if baseline.reached:
        return Speedup(high=ratio)
    return Speedup()


def median_speedup(speedups: Sequence[Speedup]) -> Speedup:
    """Sharpest bounds on the median of values that may be known as bounds only.

    The median grows with each of its values, so its bounds are the medians of the bounds.

    Raises:
        ValueError: There are no speedups.
    """
    if not speedups:
        raise ValueError('the median of no speedups is not defined')
    return Speedup(median(s.low for s in speedups), median(s.high for s in speedups))


def compare(
    runs: Sequence[Run],
    baselines: Sequence[Run] = (),
    *,
    tau: float,
    clock: Clock = 'iter',
    sustained: bool = False,
) -> Comparison:
    """Pair ``runs`` with ``baselines`` by seed and compare when they reach ``tau``.

    Args:
        runs: Ours; at least one.
        baselines: The same training without a teacher. Without any, runs are only measured, and
            may share seeds.
        tau: The target, on the scale of the metric in the files.
        clock: What to count time in.
        sustained: Count a crossing only when it holds for ``hits_in_a_row`` evaluations.

    Raises:
        W2SError: The runs measure different things, two on one side share a seed, or ``tau`` is
            beyond the metric's range.
    """
    everyone = [*runs, *baselines]
    _check_comparable(everyone, tau)
    by_seed = [_by_seed(runs, 'runs'), _by_seed(baselines, 'baselines')] if baselines else []
    if by_seed:
        seeds = sorted({*by_seed[0], *by_seed[1]}, key=lambda seed: (seed is None, seed or 0))
        couples = [(by_seed[1].get(seed), by_seed[0].get(seed)) for seed in seeds]
    else:
        couples = [(None, run) for run in runs]

    pairs = []
    for base, ours in couples:
        base_at = crossing(base, tau, clock, sustained) if base else None
        ours_at = crossing(ours, tau, clock, sustained) if ours else None
        ratio = speedup(base_at, ours_at) if base_at and ours_at else None
        seed = (ours or base or runs[0]).seed
        pairs.append(Pair(seed, base, ours, base_at, ours_at, ratio))
    ratios = [pair.speedup for pair in pairs if pair.speedup]
    return Comparison(
        metric=runs[0].metric,
        tau=tau,
        clock=clock,
        hits_in_a_row=runs[0].hits_in_a_row if sustained else 1,
        pairs=pairs,
        median=median_speedup(ratios) if ratios else None,
        with_baseline=bool(baselines),
        notes=_notes(everyone, pairs, bool(baselines)),
    )


def _check_comparable(runs: Sequence[Run], tau: float) -> None:
    first = runs[0]
    for run in runs[1:]:
        for what in ('metric', 'rule', 'hits_in_a_row'):
            if getattr(run, what) != getattr(first, what):
                raise W2SError(
                    f'Runs that are compared must agree in {what}: {first.path} has '
                    f'{getattr(first, what)!r}, {run.path} has {getattr(run, what)!r}.'
                )
    if not math.isfinite(tau) or ('mAP' in first.metric and not 0 < tau <= 1):
        raise W2SError(
            f'tau is {tau:g}, but {first.metric} lies between 0 and 1. '
            'For an AP of 20 type: --tau 0.2'
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
        notes.append(f'Not finished: {", ".join(unfinished)}. Figures may still change.')
    empty = [run.name for run in runs if not run.history]
    if empty:
        notes.append(f'Not yet validated: {", ".join(empty)}.')
    alone = [str(pair.seed) for pair in pairs if pair.speedup is None]
    if with_baseline and alone:
        notes.append(f'No partner of the same seed, not in the median: seed {", ".join(alone)}.')
    if len({run.max_iters for run in runs}) > 1:
        notes.append('The runs were planned with different lengths.')
    grids = {run.history[0]['iter'] for run in runs if run.history}
    if len(grids) > 1:
        notes.append('The runs were validated at different intervals: first@tau is not alike.')
    return notes
