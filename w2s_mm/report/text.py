"""A comparison as text for the terminal and as JSON."""

from __future__ import annotations

import math
from statistics import mean
from typing import Any

from .bootstrap import CONFIDENCE, RESAMPLES, SEED
from .comparison import Comparison, Pair
from .evidence import Evidence
from .runs import Clock, Run
from .timing import Crossing, Speedup
from .wording import (
    UNITS,
    crossing_text,
    final_and_best,
    interval_text,
    metric_name,
    speedup_text,
    table,
    target_text,
    time_text,
    value_text,
)

CLOCKS: tuple[Clock, ...] = ('iter', 'train_seconds', 'wall_seconds')


def as_text(comparison: Comparison) -> str:
    """Lay a comparison out as a table with a headline, the median and the notes."""
    c = comparison
    held = f', held for {c.hits_in_a_row} evaluations' if c.hits_in_a_row > 1 else ''
    name = metric_name(c.metric)
    if c.with_baseline:
        header = ['seed', 'baseline', 'ours', 'speedup']
        header += [f'final {name} base/ours', f'best {name} base/ours', 'gate closed at']
    else:
        header = ['run', 'seed', 'first at', f'final {name}', f'best {name}', 'gate closed at']
    rows = []
    for pair in c.pairs:
        final, best = ends_text(pair, c)
        ours_at = crossing_text(pair.ours_at, c.clock)
        if c.with_baseline:
            base_at = crossing_text(pair.baseline_at, c.clock)
            row = [str(pair.seed), base_at, ours_at, speedup_text(pair.speedup)]
        else:
            row = [pair.ours.name if pair.ours else '-', str(pair.seed), ours_at]
        rows.append([*row, final, best, closed_text(pair.ours, c.clock)])

    target = target_text(c.metric, c.tau)
    lines = [f'first@{target} in {UNITS[c.clock]}{held}', '', *table(header, rows)]
    if c.with_baseline:
        lines += ['', *_conclusion(c)]
    if any(not at.reached for pair in c.pairs for at in (pair.baseline_at, pair.ours_at) if at):
        lines.append('"> T": not reached up to T, the last evaluation that counts.')
    return '\n'.join([*lines, *(f'Note: {note}' for note in c.notes)])


def ends_text(pair: Pair, c: Comparison) -> list[str]:
    """Final and best metric of a pair (``base / ours``), or of the one run where no one else is."""
    sides = [pair.baseline, pair.ours] if c.with_baseline else [pair.ours]
    ends = [final_and_best(run) if run else (math.nan, math.nan) for run in sides]
    return [
        ' / '.join('-' if math.isnan(end) else value_text(end, c.metric) for end in column)
        for column in zip(*ends, strict=True)
    ]


def closed_text(run: Run | None, clock: Clock) -> str:
    """When the gate closed."""
    if run is None or run.closed_at is None:
        return '-'
    return time_text(run.time_of(run.closed_at, clock), clock)


def _conclusion(c: Comparison) -> list[str]:
    pairs = [pair for pair in c.pairs if pair.speedup]
    if c.median is None or c.mean is None:
        return ['No seed has both a baseline and a run of ours: there is nothing to compare.']
    values = ', '.join(speedup_text(pair.speedup) for pair in pairs)
    line = f'Median speedup {speedup_text(c.median, median=True)} of {len(pairs)} '
    line += f'{"pair" if len(pairs) == 1 else "pairs"} ({values})'
    if len(pairs) == 1:
        return [line + '. One pair of runs: it says nothing about luck.']
    finals = [
        [final_and_best(run)[0] for run in (pair.baseline, pair.ours) if run] for pair in pairs
    ]
    base, ours = (mean(column) for column in zip(*finals, strict=True))
    if not math.isnan(base + ours):
        name = metric_name(c.metric)
        line += f'; mean final {name} {value_text(base, c.metric)} / {value_text(ours, c.metric)}'
    at = [crossing_text(each, c.clock) for each in (c.mean.baseline_at, c.mean.ours_at)]
    return [
        f'Mean curve of {len(pairs)} seeds: {at[0]} / {at[1]}, {speedup_text(c.mean.speedup)}.',
        f'{line}.',
        f'{CONFIDENCE:.0%} bootstrap interval of the median: {interval_text(c.interval)}.',
    ]


def as_json(evidence: Evidence) -> dict[str, Any]:
    """Everything the report says, as raw numbers; AP is 0 to 1 as in the files.

    A speedup has ``value`` where it is exact; else ``at_least`` and ``at_most`` bound it, null for
    an open end.
    """
    return {
        'format': 2,
        'metric': evidence.runs[0].metric,
        'rule': evidence.runs[0].rule,
        'taus': evidence.taus,
        'baseline': evidence.baseline.name if evidence.baseline else None,
        'bootstrap': {'confidence': CONFIDENCE, 'resamples': RESAMPLES, 'seed': SEED},
        'variants': [
            {
                'name': variant.name,
                'comparisons': [
                    _comparison(evidence.compare(variant, tau, clock, sustained))
                    for tau in evidence.taus
                    for clock in CLOCKS
                    for sustained in (False, True)
                ],
            }
            for variant in evidence.variants
        ],
        'teacher_training': [vars(cost) for cost in evidence.teachers],
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
            for run in evidence.runs
        ],
        'notes': evidence.notes,
    }


def _comparison(c: Comparison) -> dict[str, Any]:
    return {
        'tau': c.tau,
        'clock': c.clock,
        'hits_in_a_row': c.hits_in_a_row,
        'pairs': [_pair(pair) for pair in c.pairs],
        'mean_curve': _pair(c.mean) if c.mean else None,
        'median_speedup': _ratio(c.median),
        'interval': _ratio(c.interval, exact=False),
        'notes': c.notes,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        'seed': pair.seed,
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


def _ratio(value: Speedup | None, exact: bool = True) -> dict[str, float | None] | None:
    if value is None:
        return None
    bounds = {'at_least': value.low or None, 'at_most': _number(value.high)}
    if not exact:
        return bounds
    return (
        {'value': value.low, **dict.fromkeys(bounds)} if value.exact else {'value': None, **bounds}
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
