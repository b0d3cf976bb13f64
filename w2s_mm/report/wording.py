"""How numbers and results are written for a reader."""

from __future__ import annotations

import math

from w2s_mm.core.metric import is_fraction

from .comparison import Comparison
from .runs import Clock
from .statistics import CONFIDENCE, Crossing, Speedup, crossing, mean_run
from .study import Study, Variant

FEW = 5  # pairs, below which the interval carries little information

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


def interval_text(interval: Speedup | None) -> str:
    """A bootstrap interval for a reader, with open ends shown: ``1.25x to unknown``."""
    if interval is None:
        return '-'
    low = f'{interval.low:.2f}x' if interval.low > 0 else 'unknown'
    high = f'{interval.high:.2f}x' if math.isfinite(interval.high) else 'unknown'
    return f'{low} to {high}'


def title(study: Study, tau: float, clock: Clock = 'iter') -> str:
    """The result as a title."""
    target = target_text(study.runs[0].metric, tau)
    if len(study.variants) > 1:
        return f'Time to {target} (means of the seeds)'
    (variant,) = study.variants
    c = study.compare(variant, tau, clock)
    if not c.with_baseline:
        at = crossing(mean_run(variant.runs), tau, clock)
        if not at.reached:
            return f'{target} not reached'
        many = f' (mean of {len(variant.runs)} runs)' if len(variant.runs) > 1 else ''
        unit = {'iter': 'iterations', 'epoch': 'epochs'}.get(clock, 's')
        return f'{target} reached after {crossing_text(at, clock)} {unit}{many}'
    if c.mean is None or c.mean.speedup is None or c.mean.speedup.unknown:
        return f'{target}: the speedup is not known yet'
    return f'{target} reached {in_words(c.mean.speedup, variant)} ({of_pairs(c)})'


def of_pairs(c: Comparison) -> str:
    """How many pairs a headline is based on."""
    count = sum(pair.speedup is not None for pair in c.pairs)
    return f'mean of {count} pairs' if count > 1 else 'one pair'


def in_words(speedup: Speedup, variant: Variant) -> str:
    """A speedup as the end of a sentence about the target."""
    text = speedup_text(speedup).lstrip('<> ')
    if speedup.exact and text == '1.00x':
        return f'as soon as {"without the teacher" if variant.has_teacher else "by the baseline"}'
    bound = ''
    if not speedup.exact:
        bound = 'at least ' if speedup.high == math.inf else 'at most ' if not speedup.low else ''
    than = 'with the teacher' if variant.has_teacher else 'as the baseline'
    return f'{bound}{text} as fast {than}'


def headline(study: Study, variant: Variant, tau: float) -> str:
    """The result of one variant in a sentence or two."""
    c = study.compare(variant, tau)
    target = target_text(c.metric, tau)
    if not c.with_baseline:
        return f'{target} reached at iteration {mean_at(variant, tau)}.'
    if c.mean is None or c.mean.speedup is None:
        return 'No seed has both a baseline and a run of ours: there is nothing to compare.'
    base, ours = (crossing_text(at, 'iter') for at in (c.mean.baseline_at, c.mean.ours_at))
    if c.mean.speedup.unknown:
        result = f'Neither side has reached {target} (baseline {base}, ours {ours} iterations)'
    else:
        result = (
            f'{target} is reached {in_words(c.mean.speedup, variant)}: {ours} iterations instead '
            f'of {base}'
        )
    if c.interval is None or c.median is None:
        return f'{result}. This is one pair of runs: another seed may give another result.'
    return (
        f'{result} ({of_pairs(c)}). The median of the paired ratios is '
        f'{speedup_text(c.median, median=True)}, {CONFIDENCE:.0%} interval '
        f'{interval_text(c.interval)}{_few(c)}.'
    )


def ranking(study: Study, tau: float) -> str:
    """The speedups of all variants in one sentence."""
    compared = [(each, study.compare(each, tau)) for each in study.variants]
    ratios = [
        f'{each.name} {speedup_text(c.mean.speedup if c.mean else None)}' for each, c in compared
    ]
    c = compared[0][1]
    return (
        f'Speedup to {target_text(c.metric, tau)} over '
        f'{study.baseline.name if study.baseline else ""} ({of_pairs(c)}): '
        f'{", ".join(ratios)}{_few(c)}.'
    )


def _few(c: Comparison) -> str:
    count = sum(pair.speedup is not None for pair in c.pairs)
    return f'; {count} pairs are too few to rule out chance' if 1 < count < FEW else ''


def mean_at(variant: Variant, tau: float) -> str:
    """first@tau of the mean curve, in iterations."""
    return crossing_text(crossing(mean_run(variant.runs), tau), 'iter')
