"""The operating band: how good a suitable teacher is, compared with the finished baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

from w2s_mm.core.metric import Rule
from w2s_mm.report.runs import Run
from w2s_mm.report.statistics import final_and_best
from w2s_mm.report.wording import value_text
from w2s_mm.utils.errors import W2SError

Verdict = Literal['too weak', 'suitable', 'too strong']

# Gaps that differ by less are equal: 0.34 is exactly 15 % below 0.4.
SAME = 1e-9
# What to do about a candidate whose predictions are all below the score threshold.
NO_ANSWERS = (
    'Caution: none of its predictions reaches the score threshold, so there is nothing to distil. '
    'Lower the score_thr of model.distill_head.'
)


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that may become the teacher, evaluated by the student's validation.

    Attributes:
        checkpoint: Its path or address.
        value: Its metric, or None if it could not be evaluated.
        entropy: Mean entropy of its predictions in nats, or None if there were none.
        answers: Number of these predictions.
        problem: Why it could not be evaluated.
    """

    checkpoint: str
    value: float | None = None
    entropy: float | None = None
    answers: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Baseline:
    """Metric of the finished student without a teacher, and its source."""

    value: float
    source: str = 'given'
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Band:
    """The range of suitable teachers: up to ``width`` (relative) worse than the baseline.

    The paper's "up to 15% weaker than the baseline student" (arXiv 2604.15451, section 3, "Weak
    Teacher Selection"): exactly 15 % is still suitable, as good as the baseline is too strong.

    Raises:
        W2SError: ``width`` is not between 0 and 1.
    """

    metric: str
    rule: Rule
    baseline: float
    width: float = 0.15

    def __post_init__(self) -> None:
        if not 0 < self.width < 1:
            raise W2SError(
                f'The band is {self.width:g}; expected a fraction between 0 and 1. '
                f'For 15 % type: --band 0.15'
            )

    def gap(self, value: float) -> float:
        """How much worse than the baseline, relative to it; negative where it is better."""
        difference = self.baseline - value
        return (difference if self.rule == 'greater' else -difference) / self.baseline

    def verdict(self, value: float) -> Verdict:
        """The verdict on a teacher with this metric, in the paper's words."""
        gap = self.gap(value)
        if gap > self.width + SAME:
            return 'too weak'
        return 'suitable' if gap > SAME else 'too strong'

    def at(self, gap: float) -> float:
        """The metric that is ``gap`` worse than the baseline."""
        return self.baseline * (1 - gap if self.rule == 'greater' else 1 + gap)

    def distance_text(self, gap: float) -> str:
        """A gap for a reader, as in ``6.2 % below the baseline``."""
        if abs(gap) <= SAME:
            return 'as good as the baseline'
        side = 'below' if (gap > 0) == (self.rule == 'greater') else 'above'
        return f'{percent(abs(gap))} {side} the baseline'


def finished_baseline(runs: Sequence[Run], metric: str, rule: Rule) -> Baseline:
    """The best validation of a finished baseline; for several runs, the mean of their best.

    The best and not the last, because the paper reports the best of its baselines (Tables 1 and 2)
    and the band comes from teachers compared with those.

    Raises:
        W2SError: A run measured another metric, had a teacher, or has no validation.
    """
    for run in runs:
        if (run.metric, run.rule) != (metric, rule):
            raise W2SError(
                f'The student is evaluated by {metric} ({rule} is better), but {run.path} measured '
                f'{run.metric} ({run.rule} is better). Give the metric with --baseline instead, or '
                f'run the baseline with the metric of the student.'
            )
        if run.reference is not None:
            raise W2SError(
                f'{run.path} was trained with a teacher; expected a run without (model.gamma=0).'
            )
    ends = [final_and_best(run) for run in runs]
    for run, (_, best) in zip(runs, ends, strict=True):
        if not 0 < best < math.inf:
            raise W2SError(
                f'{run.path} has no validation with a {metric} above 0 yet. Finish that run, or '
                f'give the metric with --baseline.'
            )
    last, best = (mean(column) for column in zip(*ends, strict=True))
    which, end = f'best validation of {runs[0].name}', 'last'
    if len(runs) > 1:
        which, end = f'mean of the best validations of {len(runs)} runs', 'mean of the last'
    unfinished = ', '.join(run.name for run in runs if not run.finished)
    note = f'Not finished: {unfinished}. The baseline, and the band with it, may still change.'
    source = f'{which}; {end}: {value_text(last, metric)}'
    return Baseline(best, source, (note,) if unfinished else ())


def percent(fraction: float) -> str:
    """A fraction for a reader: ``6.2 %``."""
    return f'{round(100 * fraction, 1):g} %'
