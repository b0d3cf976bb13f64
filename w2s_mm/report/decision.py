"""The table that a user decides by: how much sooner each level is reached, and what it costs."""

from __future__ import annotations

from .levels import FINAL, NEARLY_FINAL, TEACHER, Level
from .statistics import CONFIDENCE
from .study import Study, Variant
from .wording import (
    crossing_text,
    interval_text,
    signs_text,
    speedup_text,
    students_text,
    value_text,
)

LEVELS = {
    TEACHER: "the teacher's level",
    NEARLY_FINAL: "95 % of the baseline's final metric",
    FINAL: "the baseline's final metric",
}
HEADER = [
    'reached',
    'metric',
    'baseline',
    'ours',
    'speedup',
    'median of pairs',
    'faster pairs',
    f'{CONFIDENCE:.0%} interval',
    'in seconds',
    'teacher paid back',
]


def decision_rows(study: Study, variant: Variant, tau: float) -> list[list[str]]:
    """One row a level, of the mean curves and the pairs; the columns are ``HEADER``."""
    return [_row(study, variant, level) for level in study.levels(tau)]


def _row(study: Study, variant: Variant, level: Level) -> list[str]:
    c = study.compare(variant, level)
    seconds = study.compare(variant, level, 'train_seconds')
    mean, metric = c.mean, c.metric
    return [
        LEVELS.get(level, 'the target'),
        value_text(mean.tau, metric) if mean and mean.tau is not None else '-',
        crossing_text(mean.baseline_at if mean else None, 'iter'),
        crossing_text(mean.ours_at if mean else None, 'iter'),
        speedup_text(mean.speedup if mean else None),
        speedup_text(c.median, median=True),
        signs_text(c.signs),
        interval_text(c.interval),
        speedup_text(seconds.mean.speedup if seconds.mean else None),
        students_text(study.students_to_break_even(variant, level)),
    ]
