"""The results of a study in sentences."""

from __future__ import annotations

import math

from .comparison import Comparison
from .decision import LEVELS
from .levels import target
from .runs import Clock
from .statistics import CONFIDENCE, Speedup, crossing, mean_run
from .study import Study, Variant
from .wording import (
    crossing_text,
    final_text,
    interval_text,
    metric_name,
    signs_text,
    speedup_text,
    target_text,
)


def goal(study: Study, tau: float) -> str:
    """The target of a headline: ``AP50 20``, or ``FID 6, 2 in a row``."""
    row = f', {study.hits_in_a_row} in a row,' if study.hits_in_a_row > 1 else ''
    return f'{target_text(study.runs[0].metric, tau)}{row}'


def title(study: Study, tau: float, clock: Clock = 'iter') -> str:
    """The result as a title."""
    wanted = goal(study, tau)
    if len(study.variants) > 1:
        return f'Time to {wanted.rstrip(",")} (means of the seeds)'
    (variant,) = study.variants
    c = study.compare(variant, target(tau), clock)
    if not c.with_baseline:
        at = crossing(mean_run(variant.runs), tau, clock, study.sustained)
        if not at.reached:
            return f'{wanted} not reached'
        many = f' (mean of {len(variant.runs)} runs)' if len(variant.runs) > 1 else ''
        unit = {'iter': 'iterations', 'epoch': 'epochs'}.get(clock, 's')
        return f'{wanted} reached after {crossing_text(at, clock)} {unit}{many}'
    if c.mean is None or c.mean.speedup is None or c.mean.speedup.unknown:
        return f'{wanted.rstrip(",")}: the speedup is not known yet'
    return f'{wanted} reached {_in_words(c.mean.speedup, variant)} ({_of_pairs(c)})'


def _of_pairs(c: Comparison) -> str:
    """How many pairs a headline is based on."""
    count = sum(pair.speedup is not None for pair in c.pairs)
    return f'mean of {count} pairs' if count > 1 else 'one pair'


def _in_words(speedup: Speedup, variant: Variant) -> str:
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
    """The result of one variant: at the target, at the other levels, at the end."""
    c = study.compare(variant, target(tau))
    wanted = goal(study, tau)
    if not c.with_baseline:
        return f'{wanted} reached at iteration {mean_at(study, variant, tau)}.'
    if c.mean is None or c.mean.speedup is None:
        return 'No seed has both a baseline and a run of ours: there is nothing to compare.'
    base, ours = (crossing_text(at, 'iter') for at in (c.mean.baseline_at, c.mean.ours_at))
    if c.mean.speedup.unknown:
        result = (
            f'Neither side has reached {wanted.rstrip(",")} (baseline {base}, ours {ours} '
            f'iterations)'
        )
    else:
        result = (
            f'{wanted} is reached {_in_words(c.mean.speedup, variant)}: {ours} iterations instead '
            f'of {base}'
        )
    if sum(pair.speedup is not None for pair in c.pairs) < 2:
        return f'{result}. This is one pair of runs: another seed may give another result.'
    interval = f', {CONFIDENCE:.0%} interval {interval_text(c.interval)}' if c.interval else ''
    parts = [
        f'{result} ({_of_pairs(c)}; faster: {signs_text(c.signs)}; median of the pairs '
        f'{speedup_text(c.median, median=True)}{interval}).'
    ]
    others = [(LEVELS[level], study.compare(variant, level)) for level in study.levels(tau)[1:]]
    ratios = [f'{name} {speedup_text(o.mean.speedup)}' for name, o in others if o.mean]
    parts.append(f'Speedup to other levels: {", ".join(ratios)}.')
    seconds = study.compare(variant, target(tau), 'train_seconds').mean
    if seconds and seconds.speedup:
        parts.append(f'In seconds of training, to the target: {speedup_text(seconds.speedup)}.')
    if c.final:
        parts.append(
            f'Final {metric_name(c.metric)}, paired difference: {final_text(c.final, c.metric)}.'
        )
    return ' '.join(parts)


def ranking(study: Study, tau: float) -> str:
    """The speedups of all variants in one sentence."""
    compared = [(each, study.compare(each, target(tau))) for each in study.variants]
    ratios = [
        f'{each.name} {speedup_text(c.mean.speedup if c.mean else None)}' for each, c in compared
    ]
    over = study.baseline.name if study.baseline else ''
    return (
        f'Speedup to {goal(study, tau).rstrip(",")} over {over} ({_of_pairs(compared[0][1])}): '
        f'{", ".join(ratios)}.'
    )


def mean_at(study: Study, variant: Variant, tau: float) -> str:
    """When the mean curve reaches the target, in iterations."""
    return crossing_text(crossing(mean_run(variant.runs), tau, 'iter', study.sustained), 'iter')
