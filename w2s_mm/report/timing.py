"""When a run reached a target, and how much sooner than another; unfinished ones are bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from w2s_mm.core.metric import surpasses, sustained_at

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
