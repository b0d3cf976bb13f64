"""The statistics of a report: first@tau, speedups, medians, tests on pairs, mean curves.

A run that never reaches the target bounds its speedup; every function here keeps such bounds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev

from w2s_mm.core.metric import surpasses, sustained_at

from .runs import POINT, Clock, Run

CONFIDENCE = 0.95  # of intervals


@dataclass(frozen=True)
class Crossing:
    """When a run reached the target: at ``time``, or (censored) not up to ``time``."""

    time: float
    reached: bool


@dataclass(frozen=True)
class Speedup:
    """Time of the baseline divided by the time of the run: between ``low`` and ``high``.

    Equal bounds are an exact value. If the baseline never reaches the target, ``high`` is infinite;
    if the run never does, ``low`` is 0; if neither does, nothing is known: 0 to infinity.
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


def crossing(run: Run, tau: float, clock: Clock = 'iter', sustained: bool = False) -> Crossing:
    """first@tau of a run, or of its first sustained crossing.

    A run that has not reached the target is censored at its last validation. A sustained crossing
    may have begun in the hits at the very end, so there it is the last validation that missed.
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
    """Time of the baseline divided by ours, as far as it is known."""
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
    """Sharpest bounds on the median of values of which some are only bounded.

    The median increases with each of its values, so its bounds are the medians of the bounds.

    Raises:
        ValueError: There are no speedups.
    """
    if not speedups:
        raise ValueError('the median of no speedups is not defined')
    return Speedup(median(s.low for s in speedups), median(s.high for s in speedups))


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval at ``CONFIDENCE``, from ``count`` pairs."""

    mean: float
    low: float
    high: float
    count: int


def t_interval(values: Sequence[float]) -> Interval | None:
    """The mean of values, one a pair, with its Student t interval.

    Args:
        values: One a pair.

    Returns:
        The interval, or None for fewer than two values or where one is not finite.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    from scipy.stats import t  # loaded only where it is needed: it takes half a second

    centre = mean(values)
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    half = quantile * stdev(values) / math.sqrt(len(values))
    return Interval(centre, centre - half, centre + half, len(values))


def ratio_interval(speedups: Sequence[Speedup]) -> Interval | None:
    """The geometric mean of paired ratios, with the t interval of their logarithm.

    Args:
        speedups: One a pair.

    Returns:
        The interval on the scale of the ratios, or None for fewer than two pairs or where a ratio
        is only bounded.
    """
    if not all(each.exact and 0 < each.low < math.inf for each in speedups):
        return None
    logs = t_interval([math.log(each.low) for each in speedups])
    if logs is None:
        return None
    return Interval(math.exp(logs.mean), math.exp(logs.low), math.exp(logs.high), logs.count)


@dataclass(frozen=True)
class Signs:
    """How many pairs were faster and slower, and the two-sided p value of the sign test.

    Attributes:
        faster: Pairs whose ratio is above 1.
        slower: Pairs whose ratio is below 1.
        neither: Pairs with equal times, or of which nothing is known; they are not tested.
        p: How likely a split at least as uneven is if both are equally likely. None where no pair
            is faster or slower.
    """

    faster: int
    slower: int
    neither: int
    p: float | None


def sign_test(speedups: Sequence[Speedup]) -> Signs:
    """Count the pairs that were faster and slower, and test whether that could be chance.

    A ratio that is only bounded counts if the bound shows on which side of 1 it is; the bound
    itself is never attained.

    Args:
        speedups: One a pair.
    """
    faster = sum(s.low > 1 or (s.low == 1 and not s.exact) for s in speedups)
    slower = sum(s.high < 1 or (s.high == 1 and not s.exact) for s in speedups)
    decided, fewer = faster + slower, min(faster, slower)
    p = None
    if decided:
        p = min(1.0, 2 * sum(math.comb(decided, k) for k in range(fewer + 1)) / 2**decided)
    return Signs(faster, slower, len(speedups) - decided, p)


def final_and_best(run: Run) -> tuple[float, float]:
    """Last and best value of a run, NaN where there is none."""
    values = [value for value in run.values if not math.isnan(value)]
    if not values:
        return math.nan, math.nan
    return run.values[-1], (max if run.rule == 'greater' else min)(values)


def mean_run(runs: Sequence[Run]) -> Run:
    """The mean curve of several seeds as a run, as far as every seed has been validated.

    A validation that gave NaN in one seed is NaN in the mean, which reaches no target.

    Args:
        runs: Seeds of one configuration; at least one.
    """
    if len(runs) == 1:
        return runs[0]
    history = [
        {name: mean(point[name] for point in points) for name in POINT} for points in _common(runs)
    ]
    return dataclasses.replace(
        runs[0],
        path=Path('mean'),
        seed=None,
        finished=all(run.finished for run in runs),
        history=history,
    )


def band(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """Lowest and highest value of any seed at each point of :func:`mean_run`."""
    return [
        (min(p['value'] for p in points), max(p['value'] for p in points))
        for points in _common(runs)
    ]


def _common(runs: Sequence[Run]) -> list[list[dict[str, float]]]:
    """Points of all seeds at the iterations at which all of them were validated."""
    at = [{point['iter']: point for point in run.history} for run in runs]
    shared = sorted(set.intersection(*(set(points) for points in at)))
    return [[points[iteration] for points in at] for iteration in shared]
