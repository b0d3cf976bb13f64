"""A report as raw numbers."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from .budgets import budget_results
from .comparison import Comparison, Pair
from .runs import Run
from .settings import config_differences, learning_rate
from .statistics import CONFIDENCE, Crossing, Interval, Speedup, final_and_best
from .study import Study, TeacherRun
from .tables import CLOCKS


def as_json(study: Study) -> dict[str, Any]:
    """Everything the report says, as raw numbers; AP is 0 to 1 as in the files.

    A speedup has ``value`` where it is exact; else ``at_least`` and ``at_most`` bound it, null for
    an open end.
    """
    return {
        'format': 3,
        'metric': study.runs[0].metric,
        'rule': study.runs[0].rule,
        'taus': study.taus,
        'baseline': study.baseline.name if study.baseline else None,
        'sustained': study.sustained,
        'confidence': CONFIDENCE,
        'variants': [
            {
                'name': variant.name,
                'comparisons': [
                    {
                        'level': level.kind,
                        'number': level.number,
                        **_comparison(study.compare(variant, level, clock, sustained)),
                        'students_to_break_even': _number(
                            study.students_to_break_even(variant, level)
                        ),
                    }
                    for level in dict.fromkeys(
                        level for tau in study.taus for level in study.levels(tau)
                    )
                    for clock in CLOCKS
                    for sustained in ((False,) if level.kind == 'final' else (False, True))
                ],
            }
            for variant in study.variants
        ],
        'teacher_training': [_teacher(teacher) for teacher in study.teachers],
        'runs': [
            {
                'run': run.name,
                'seed': run.seed,
                'finished': run.finished,
                'max_iters': run.max_iters,
                'reference': run.reference,
                'gate_closed_at': run.closed_at,
                'record': run.record,
            }
            for run in study.runs
        ],
        'margin': study.margin,
        'budgets': [
            {
                'name': side.name,
                'budget': result.budget,
                'finals': {run.seed: _number(final_and_best(run)[0]) for run in result.runs},
                'difference': _interval(result.difference),
                'not_inferior': result.not_inferior,
            }
            for side in (study.sides if study.shortened else ())
            for result in budget_results(study, side.name)
        ],
        'rate_runs': [
            {
                'seed': run.seed,
                'learning_rate': learning_rate(run),
                'final': _number(final_and_best(run)[0]),
            }
            for run in study.rate_runs
        ],
        'differences': [
            {'setting': each.setting, 'baseline': each.baseline, 'variants': each.variants}
            for each in config_differences(study)[0]
        ],
        'notes': study.notes,
    }


def _teacher(teacher: TeacherRun) -> dict[str, Any]:
    return {
        'name': teacher.run.name,
        'iters': teacher.iters,
        'train_seconds': teacher.seconds('train_seconds'),
        'wall_seconds': teacher.seconds('wall_seconds'),
    }


def _comparison(c: Comparison) -> dict[str, Any]:
    return {
        'clock': c.clock,
        'hits_in_a_row': c.hits_in_a_row,
        'pairs': [_pair(pair) for pair in c.pairs],
        'mean_curve': _pair(c.mean) if c.mean else None,
        'median_speedup': _ratio(c.median),
        'geometric_mean': _interval(c.interval),
        'sign_test': asdict(c.signs),
        'final_difference': _interval(c.final),
        'notes': c.notes,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        'seed': pair.seed,
        'tau': pair.tau,
        'baseline': _side(pair.baseline, pair.baseline_at),
        'ours': _side(pair.ours, pair.ours_at),
        'speedup': _ratio(pair.speedup),
    }


def _side(run: Run | None, at: Crossing | None) -> dict[str, Any] | None:
    if run is None or at is None:
        return None
    final, best = final_and_best(run)
    return {
        'run': run.name,
        'first_at': at.time if at.reached else None,
        'not_reached_up_to': None if at.reached else at.time,
        'final': _number(final),
        'best': _number(best),
    }


def _ratio(value: Speedup | None) -> dict[str, float | None] | None:
    if value is None:
        return None
    bounds = {'at_least': value.low or None, 'at_most': _number(value.high)}
    return (
        {'value': value.low, **dict.fromkeys(bounds)} if value.exact else {'value': None, **bounds}
    )


def _interval(value: Interval | None) -> dict[str, float] | None:
    return None if value is None else asdict(value)


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
