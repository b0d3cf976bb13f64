"""A comparison as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean
from typing import Any

from .compare import Comparison, Crossing, Speedup
from .runs import Clock, Run

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


def target_text(comparison: Comparison) -> str:
    """Metric and target, as in ``AP50 20``."""
    tau = comparison.tau * metric_scale(comparison.metric)
    return f'{metric_name(comparison.metric)} {tau:g}'


def time_text(time: float, clock: Clock) -> str:
    """A time for a reader, without its unit."""
    return f'{time:.0f}' if clock == 'iter' else f'{time:.{2 if clock == "epoch" else 1}f}'


def crossing_text(at: Crossing | None, clock: Clock) -> str:
    """When a run arrived, without the unit: ``280``, ``> 800`` or ``-``."""
    if at is None or (_censored(at) and at.time == 0):
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
        sides = [pair.baseline, pair.ours] if c.with_baseline else [pair.ours]
        ends = [final_and_best(run) if run else (math.nan, math.nan) for run in sides]
        final, best = (
            ' / '.join('-' if math.isnan(e) else value_text(e, c.metric) for e in column)
            for column in zip(*ends, strict=True)
        )
        ours_at = crossing_text(pair.ours_at, c.clock)
        closed = '-'
        if pair.ours and pair.ours.closed_at is not None:
            closed = time_text(pair.ours.time_of(pair.ours.closed_at, c.clock), c.clock)
        if c.with_baseline:
            base_at = crossing_text(pair.baseline_at, c.clock)
            row = [str(pair.seed), base_at, ours_at, speedup_text(pair.speedup)]
        else:
            row = [pair.ours.name if pair.ours else '-', str(pair.seed), ours_at]
        rows.append([*row, final, best, closed])

    lines = [f'first@{target_text(c)} in {UNITS[c.clock]}{held}', '', *table(header, rows)]
    if c.with_baseline:
        lines += ['', _median_line(c)]
    if any(_censored(at) for pair in c.pairs for at in (pair.baseline_at, pair.ours_at)):
        lines.append('"> T": not reached up to T, the last evaluation that counts.')
    return '\n'.join([*lines, *(f'Note: {note}' for note in c.notes)])


def as_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Everything the tables say, and the histories' ends, as raw numbers.

    A speedup has ``value`` where it is exact; else ``more_than`` and ``less_than`` bound it, the
    median ``at_least`` and ``at_most``.
    """

    def side(run: Run | None, at: Crossing | None, clock: Clock) -> dict[str, Any] | None:
        if run is None or at is None:
            return None
        final, best = final_and_best(run)
        return {
            'run': run.name,
            'first_at': at.time if at.reached else None,
            'not_reached_up_to': None if at.reached else at.time,
            'final': _number(final),
            'best': _number(best),
            'last_iter': run.history[-1]['iter'] if run.history else 0,
            'finished': run.finished,
            'reference': run.reference,
            'gate_closed_at': (
                None if run.closed_at is None else run.time_of(run.closed_at, clock)
            ),
        }

    def ratio(value: Speedup | None, words: Sequence[str]) -> dict[str, float | None] | None:
        if value is None:
            return None
        return {
            'value': value.low if value.exact else None,
            words[0]: None if value.exact or value.low == 0 else value.low,
            words[1]: None if value.exact else _number(value.high),
        }

    return {
        'format': 1,
        'comparisons': [
            {
                'metric': c.metric,
                'tau': c.tau,
                'clock': c.clock,
                'hits_in_a_row': c.hits_in_a_row,
                'pairs': [
                    {
                        'seed': pair.seed,
                        'baseline': side(pair.baseline, pair.baseline_at, c.clock),
                        'ours': side(pair.ours, pair.ours_at, c.clock),
                        'speedup': ratio(pair.speedup, ('more_than', 'less_than')),
                    }
                    for pair in c.pairs
                ],
                'median_speedup': ratio(c.median, ('at_least', 'at_most')),
                'notes': c.notes,
            }
            for c in comparisons
        ],
    }


def _censored(at: Crossing | None) -> bool:
    return at is not None and not at.reached


def _median_line(c: Comparison) -> str:
    if c.median is None:
        return 'No seed has both a baseline and a run of ours: there is nothing to compare.'
    pairs = [pair for pair in c.pairs if pair.speedup]
    values = ', '.join(speedup_text(pair.speedup) for pair in pairs)
    line = f'Median speedup {speedup_text(c.median, median=True)} of {len(pairs)} '
    line += f'{"pair" if len(pairs) == 1 else "pairs"} ({values})'
    finals = [
        (final_and_best(pair.baseline)[0], final_and_best(pair.ours)[0])
        for pair in pairs
        if pair.baseline and pair.ours
    ]
    base, ours = (mean(column) for column in zip(*finals, strict=True))
    if len(pairs) > 1 and not math.isnan(base + ours):
        name = metric_name(c.metric)
        line += f'; mean final {name} {value_text(base, c.metric)} / {value_text(ours, c.metric)}'
    return line + '.'


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table for the terminal, columns aligned to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        '  '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in [header, *rows]
    ]
    return [lines[0], '  '.join('-' * width for width in widths), *lines[1:]]
