"""How figures are written for a reader."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .runs import Clock, Run
from .timing import Crossing, Speedup

UNITS: dict[Clock, str] = {
    'iter': 'iterations',
    'epoch': 'epochs',
    'train_seconds': 'seconds of training',
    'wall_seconds': 'seconds, everything included',
}


def metric_name(metric: str) -> str:
    """Name for a reader: ``coco/bbox_mAP_50`` is AP50."""
    last = metric.rsplit('/', 1)[-1]
    if 'mAP' in last:
        return 'AP' + last.split('mAP', 1)[1].replace('_', '')
    return {'top1': 'Top-1', 'top5': 'Top-5', 'fid': 'FID'}.get(last.lower(), last)


def metric_scale(metric: str) -> float:
    """Factor from the files to the page: AP is written as 0 to 1 and read in percent points."""
    return 100.0 if 'mAP' in metric else 1.0


def value_text(value: float, metric: str) -> str:
    """A metric's value for a reader."""
    return f'{value * metric_scale(metric):.1f}'


def target_text(metric: str, tau: float) -> str:
    """Metric and target, as in ``AP50 20``."""
    return f'{metric_name(metric)} {tau * metric_scale(metric):g}'


def time_text(time: float, clock: Clock) -> str:
    """A time for a reader, without its unit."""
    return f'{time:.0f}' if clock == 'iter' else f'{time:.{2 if clock == "epoch" else 1}f}'


def crossing_text(at: Crossing | None, clock: Clock) -> str:
    """When a run arrived, without the unit: ``280``, ``> 800`` or ``-``."""
    if at is None or (not at.reached and at.time == 0):
        return '-'
    return ('' if at.reached else '> ') + time_text(at.time, clock)


def speedup_text(speedup: Speedup | None, median: bool = False) -> str:
    """A ratio for a reader: ``1.40x``, ``> 1.40x``, ``< 0.90x`` or ``-``.

    The bound of a median can be attained, so it reads ``>=``.
    """
    if speedup is None or speedup.unknown:
        return '-'
    if speedup.exact:
        return f'{speedup.low:.2f}x'
    equal = '=' if median else ''
    if speedup.high == math.inf:
        return f'>{equal} {speedup.low:.2f}x'
    if speedup.low == 0:
        return f'<{equal} {speedup.high:.2f}x'
    return f'{speedup.low:.2f}x to {speedup.high:.2f}x'


def final_and_best(run: Run) -> tuple[float, float]:
    """Last and best value of a run, NaN where there is none."""
    values = [value for value in run.values if not math.isnan(value)]
    if not values:
        return math.nan, math.nan
    return run.values[-1], (max if run.rule == 'greater' else min)(values)


def interval_text(interval: Speedup | None) -> str:
    """A bootstrap interval for a reader, its open ends as they are: ``1.25x to 1.67x``."""
    if interval is None:
        return '-'
    low = f'{interval.low:.2f}x' if interval.low > 0 else 'unknown'
    high = f'{interval.high:.2f}x' if math.isfinite(interval.high) else 'unknown'
    return f'{low} to {high}'


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table for the terminal, columns aligned to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        '  '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in [header, *rows]
    ]
    return [lines[0], '  '.join('-' * width for width in widths), *lines[1:]]
