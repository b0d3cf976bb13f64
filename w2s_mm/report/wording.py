"""How numbers are written for a reader."""

from __future__ import annotations

import math

from w2s_mm.core.metric import is_fraction

from .runs import Clock
from .statistics import Crossing, Interval, Signs, Speedup

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
    """Factor from the files to the page: AP is 0 to 1 in the files and in percent on the page."""
    return 100.0 if is_fraction(metric) else 1.0


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
    """When a run reached the target, without the unit: ``280``, ``> 800`` or ``-``."""
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


def interval_text(interval: Interval | None) -> str:
    """The interval of a mean ratio for a reader: ``1.25x to 1.67x``."""
    return '-' if interval is None else f'{interval.low:.2f}x to {interval.high:.2f}x'


def difference_text(value: float, metric: str) -> str:
    """A difference of two values of the metric, with its sign."""
    return f'{value * metric_scale(metric):+.1f}'


def signs_text(signs: Signs) -> str:
    """Pairs that were faster, and the sign test: ``4 of 5, p = 0.38``."""
    count = signs.faster + signs.slower + signs.neither
    if not count:
        return '-'
    p = '' if signs.p is None or count == 1 else f', p = {signs.p:.2g}'
    return f'{signs.faster} of {count}{p}'


def final_text(final: Interval | None, metric: str) -> str:
    """A difference of final metrics with its interval: ``+5.1 (+2.0 to +8.2)``."""
    if final is None:
        return '-'
    mean, low, high = (difference_text(v, metric) for v in (final.mean, final.low, final.high))
    return f'{mean} ({low} to {high})'


def students_text(students: float | None) -> str:
    """After how many students the teacher's training is paid back."""
    if students is None:
        return '-'
    if math.isinf(students):
        return 'never'
    count = max(1, math.ceil(students))
    return f'after {count} student{"s" if count > 1 else ""}'
