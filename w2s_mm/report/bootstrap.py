"""How much of a median may be luck."""

from __future__ import annotations

import random
from collections.abc import Sequence

from .timing import Speedup, median_speedup

RESAMPLES = 10_000
SEED = 0
CONFIDENCE = 0.95


def bootstrap_median(
    speedups: Sequence[Speedup],
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Speedup | None:
    """Percentile bootstrap interval of the median of paired ratios.

    Pairs are drawn with replacement, as many as there are; the interval is what the middle
    ``confidence`` of the medians spans. A ratio that is only bounded (a run that never arrived)
    takes part with its bounds: the lower end comes from the lower bounds, the upper end from the
    upper ones, so that it can be 0 or infinite, and is never narrower than it should be.

    With few pairs it is honest but coarse: up to five different values, its ends are the least
    and the greatest of them.

    Args:
        speedups: One a pair.
        confidence: Part of the medians that lies inside.
        resamples: How many times to draw.
        seed: Of the drawing.

    Returns:
        The interval, or None for fewer than two pairs, which say nothing about luck.
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
