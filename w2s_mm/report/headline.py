"""The result in words."""

from __future__ import annotations

import math

from .bootstrap import CONFIDENCE
from .comparison import Comparison
from .curves import mean_run
from .evidence import Evidence, Variant
from .runs import Clock
from .timing import Speedup, crossing
from .wording import crossing_text, interval_text, speedup_text, target_text

FEW = 5  # pairs, below which an interval is a formality


def title(evidence: Evidence, tau: float, clock: Clock = 'iter') -> str:
    """Say the result in words."""
    target = target_text(evidence.runs[0].metric, tau)
    if len(evidence.variants) > 1:
        return f'Time to {target} (means of the seeds)'
    (variant,) = evidence.variants
    c = evidence.compare(variant, tau, clock)
    if not c.with_baseline:
        at = crossing(mean_run(variant.runs), tau, clock)
        if not at.reached:
            return f'{target} not reached'
        many = f' (mean of {len(variant.runs)} runs)' if len(variant.runs) > 1 else ''
        unit = {'iter': 'iterations', 'epoch': 'epochs'}.get(clock, 's')
        return f'{target} reached after {crossing_text(at, clock)} {unit}{many}'
    if c.mean is None or c.mean.speedup is None or c.mean.speedup.unknown:
        return f'{target}: no speedup can be told yet'
    return f'{target} reached {in_words(c.mean.speedup, variant)} ({of_pairs(c)})'


def of_pairs(c: Comparison) -> str:
    """What a headline is the result of."""
    count = sum(pair.speedup is not None for pair in c.pairs)
    return f'mean of {count} pairs' if count > 1 else 'one pair'


def in_words(speedup: Speedup, variant: Variant) -> str:
    """A ratio as the end of a sentence about the target."""
    text = speedup_text(speedup).lstrip('<> ')
    if speedup.exact and text == '1.00x':
        return f'as soon as {"without the teacher" if variant.taught else "by the baseline"}'
    bound = ''
    if not speedup.exact:
        bound = 'at least ' if speedup.high == math.inf else 'at most ' if not speedup.low else ''
    return f'{bound}{text} as fast {"with the teacher" if variant.taught else "as the baseline"}'


def headline(evidence: Evidence, variant: Variant, tau: float) -> str:
    """The sentence on one variant that a hurried reader reads."""
    c = evidence.compare(variant, tau)
    target = target_text(c.metric, tau)
    if not c.with_baseline:
        return f'{target} reached at iteration {mean_at(variant, tau)}.'
    if c.mean is None or c.mean.speedup is None:
        return 'No seed has both a baseline and a run of ours: nothing can be compared.'
    base, ours = (crossing_text(at, 'iter') for at in (c.mean.baseline_at, c.mean.ours_at))
    if c.mean.speedup.unknown:
        result = f'Neither side has reached {target} (baseline {base}, ours {ours} iterations)'
    else:
        result = (
            f'{target} is reached {in_words(c.mean.speedup, variant)}: {ours} iterations instead '
            f'of {base}'
        )
    if c.interval is None or c.median is None:
        return f'{result}. One pair of runs: another seed may well give another figure.'
    return (
        f'{result} ({of_pairs(c)}). The median of the paired ratios is '
        f'{speedup_text(c.median, median=True)}, {CONFIDENCE:.0%} interval '
        f'{interval_text(c.interval)}{_few(c)}.'
    )


def ranking(evidence: Evidence, tau: float) -> str:
    """All variants in one sentence; which is best is for the reader to say."""
    compared = [(each, evidence.compare(each, tau)) for each in evidence.variants]
    ratios = [
        f'{each.name} {speedup_text(c.mean.speedup if c.mean else None)}' for each, c in compared
    ]
    c = compared[0][1]
    return (
        f'How much sooner {target_text(c.metric, tau)} is reached than by '
        f'{evidence.baseline.name if evidence.baseline else ""} ({of_pairs(c)}): '
        f'{", ".join(ratios)}{_few(c)}.'
    )


def _few(c: Comparison) -> str:
    count = sum(pair.speedup is not None for pair in c.pairs)
    return f'; {count} pairs say little about luck' if 1 < count < FEW else ''


def mean_at(variant: Variant, tau: float) -> str:
    """first@tau of the mean curve, in iterations."""
    return crossing_text(crossing(mean_run(variant.runs), tau), 'iter')
