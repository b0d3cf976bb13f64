"""The mean of several seeds as one learning curve, and the band around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from .runs import Run

POINT = ('iter', 'epoch', 'train_seconds', 'wall_seconds', 'value')


def mean_run(runs: Sequence[Run]) -> Run:
    """The seed-mean curve as a run: it goes as far as every seed has been validated.

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
    """Points of all seeds at the iterations that all of them were validated at."""
    at = [{point['iter']: point for point in run.history} for run in runs]
    shared = sorted(set.intersection(*(set(points) for points in at)))
    return [[points[iteration] for points in at] for iteration in shared]
