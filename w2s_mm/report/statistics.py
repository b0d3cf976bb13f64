"""The statistics of a report: first@tau, speedups, medians, bootstrap intervals, mean curves.

A run that never reaches the target bounds its speedup; every function here keeps such bounds.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from w2s_mm.core.metric import surpasses, sustained_at

from .runs import POINT, Clock, Run

RESAMPLES = 10_000
SEED = 0
CONFIDENCE = 0.95


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


def bootstrap_median(
    speedups: Sequence[Speedup],
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Speedup | None:
    """Percentile bootstrap interval of the median of paired ratios.

    Pairs are drawn with replacement, as many as there are; the interval spans the middle
    ``confidence`` of the medians. A ratio that is only bounded (a run that never reached the
    target) takes part with its bounds: the lower end comes from the lower bounds, the upper end
    from the upper ones. An end can therefore be 0 or infinite, and the interval is never too
    narrow.

    With few pairs it is coarse: for up to five different values, its ends are the smallest and the
    largest of them.

    Args:
        speedups: One a pair.
        confidence: Part of the medians inside the interval.
        resamples: How many times to draw.
        seed: Seed of the drawing.

    Returns:
        The interval, or None for fewer than two pairs, which carry no information on chance.
    """
    if len(speedups) < 2:
        return None
    generator = random.Random(seed)
    medians = [
        median_speedup(generator.choices(speedups, k=len(speedups))) for _ in range(resamples)
    ]
    tail = (1 - confidence) / 2
    return Speedup(
        _quantile([each.low for each in medians], tail),
        _quantile([each.high for each in medians], 1 - tail),
    )


def _quantile(values: Sequence[float], fraction: float) -> float:
    """The value with that fraction of the others below it; no interpolation, so inf is fine."""
    ordered = sorted(values)
    return ordered[min(int(fraction * len(ordered)), len(ordered) - 1)]


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
