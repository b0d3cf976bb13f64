"""A comparison as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean

from .comparison import Comparison, Pair
from .decision import HEADER, decision_rows
from .levels import target
from .runs import Clock, Run
from .statistics import CONFIDENCE, final_and_best
from .study import Study, Variant
from .wording import (
    UNITS,
    crossing_text,
    final_text,
    interval_text,
    metric_name,
    signs_text,
    speedup_text,
    target_text,
    time_text,
    value_text,
)


def as_text(
    study: Study,
    variant: Variant,
    tau: float,
    clock: Clock = 'iter',
    sustained: bool | None = None,
) -> str:
    """The pairs at a target, the result, the other levels and the notes.

    Args:
        study: What it is about.
        variant: One of its variants.
        tau: The target.
        clock: Unit of time of the pairs.
        sustained: As in :meth:`Study.compare`.
    """
    c = study.compare(variant, target(tau), clock, sustained)
    lines = _pairs(c)
    if c.with_baseline:
        lines += ['', *table(HEADER, decision_rows(study, variant, tau))]
    return '\n'.join([*lines, *(f'Note: {note}' for note in c.notes)])


def _pairs(c: Comparison) -> list[str]:
    sustained = f', {c.hits_in_a_row} validations in a row' if c.hits_in_a_row > 1 else ''
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

    wanted = target_text(c.metric, c.level.number)
    lines = [f'first@{wanted} in {UNITS[c.clock]}{sustained}', '', *table(header, rows)]
    if c.with_baseline:
        lines += ['', *_conclusion(c)]
    if any(not at.reached for pair in c.pairs for at in (pair.baseline_at, pair.ours_at) if at):
        lines.append('"> T": not reached up to T, the last validation that counts.')
    return lines


def ends_text(pair: Pair, c: Comparison) -> list[str]:
    """Final and best metric of a pair (``base / ours``), or of the one run if it has no partner."""
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
        return [line + '. One pair of runs does not show how large chance variation is.']
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
        f'Faster: {signs_text(c.signs)}. {CONFIDENCE:.0%} interval of the mean ratio: '
        f'{interval_text(c.interval)}. Final {metric_name(c.metric)}, paired difference: '
        f'{final_text(c.final, c.metric)}.',
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table for the terminal, columns aligned to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        '  '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in [header, *rows]
    ]
    return [lines[0], '  '.join('-' * width for width in widths), *lines[1:]]
