"""The tables of the results."""

from __future__ import annotations

from math import isnan

from .blocks import Table
from .comparison import Comparison
from .decision import HEADER, LEVELS, decision_rows
from .levels import target
from .runs import Clock, Run
from .sentences import mean_at
from .settings import learning_rate, setting_text
from .statistics import CONFIDENCE, crossing, final_and_best, mean_run
from .study import Study, Variant
from .text import closed_text, ends_text
from .wording import (
    UNITS,
    crossing_text,
    final_text,
    interval_text,
    metric_name,
    signs_text,
    speedup_text,
    target_text,
    value_text,
)

CLOCKS: tuple[Clock, ...] = ('iter', 'train_seconds', 'wall_seconds')


def decision_table(study: Study, tau: float) -> Table:
    """The only variant at every level."""
    rows = decision_rows(study, study.variants[0], tau)
    return Table('When each level is reached, in iterations', HEADER, rows)


def summary_table(study: Study, tau: float) -> Table:
    """All variants at every level."""
    metric = study.runs[0].metric
    name = metric_name(metric)
    levels = study.levels(tau)
    empty = [''] * (len(levels) + 3)
    rows = []
    if study.baseline:
        final = _mean_text(study.baseline.runs, 0, metric)
        at = mean_at(study, study.baseline, tau)
        rows.append([study.label(study.baseline), at, *empty, final, ''])
    for variant in study.variants:
        compared = [study.compare(variant, level) for level in levels]
        seconds = study.compare(variant, levels[0], 'train_seconds')
        first = compared[0]
        rows.append(
            [
                study.label(variant),
                mean_at(study, variant, tau),
                *(speedup_text(c.mean.speedup if c.mean else None) for c in compared),
                speedup_text(first.median, median=True),
                signs_text(first.signs),
                speedup_text(seconds.mean.speedup if seconds.mean else None),
                _mean_text(variant.runs, 0, metric),
                final_text(first.final, metric),
            ]
        )
    wanted = target_text(metric, tau)
    header = ['', f'first@{wanted}', f'speedup to {wanted}']
    header += [f'to {LEVELS[level]}' for level in levels[1:]]
    header += ['median of pairs', 'faster pairs', 'in seconds', f'final {name}']
    header += ['paired difference']
    caption = 'All variants: mean curves, in iterations where nothing else is said'
    return Table(caption, header, rows)


def _mean_text(runs: list[Run], which: int, metric: str) -> str:
    values = [final_and_best(run)[which] for run in runs]
    return value_text(sum(values) / len(values), metric)


def seeds_table(study: Study, variant: Variant, tau: float) -> Table:
    """The pairs of a variant, with the first crossing and the sustained one."""
    first = study.compare(variant, target(tau), sustained=False)
    sustained = study.compare(variant, target(tau), sustained=True)
    name, wanted = metric_name(first.metric), target_text(first.metric, tau)
    rows = []
    for pairs in zip(first.pairs, sustained.pairs, strict=True):
        row = [str(pairs[0].seed)]
        for pair in pairs:
            ats = [crossing_text(pair.baseline_at, 'iter')] if first.with_baseline else []
            row.append(' / '.join([*ats, crossing_text(pair.ours_at, 'iter')]))
            if first.with_baseline:
                row.append(speedup_text(pair.speedup))
        rows.append([*row, *ends_text(pairs[0], first), closed_text(pairs[0].ours, 'iter')])
    if first.mean and len(first.pairs) > 1 and sustained.mean:
        means = ['mean curve']
        for pair in (first.mean, sustained.mean):
            ats = [crossing_text(at, 'iter') for at in (pair.baseline_at, pair.ours_at)]
            means += [' / '.join(ats), speedup_text(pair.speedup)]
        rows.append([*means, *ends_text(first.mean, first), ''])
        rows.append(_median_row(first, sustained))
    ratio = ['speedup'] if first.with_baseline else []
    header = ['seed', f'first@{wanted}', *ratio, f'{sustained.hits_in_a_row} in a row', *ratio]
    header += [f'final {name}', f'best {name}', 'gate closed at']
    ours = 'with teacher' if variant.has_teacher else variant.name
    sides = f'baseline / {ours}' if first.with_baseline else 'no baseline'
    return Table(f'{variant.name}, by seed, in iterations ({sides})', header, rows)


def _median_row(first: Comparison, sustained: Comparison) -> list[str]:
    row = ['median']
    for each in (first, sustained):
        row += ['', speedup_text(each.median, median=True)]
    return [*row, '', '', '']


def clocks_table(study: Study, tau: float) -> Table:
    """The same crossing as in the headline, in iterations and in seconds."""
    rows = []
    for variant in study.variants:
        for clock in CLOCKS:
            c = study.compare(variant, target(tau), clock)
            row = [variant.name, UNITS[clock]]
            if c.with_baseline:
                at = (c.mean.baseline_at, c.mean.ours_at) if c.mean else (None, None)
                row += [crossing_text(each, clock) for each in at]
                row.append(speedup_text(c.mean.speedup if c.mean else None))
                row += [speedup_text(c.median, median=True), interval_text(c.interval)]
            else:
                at_mean = crossing(mean_run(variant.runs), tau, clock, study.sustained)
                row.append(crossing_text(at_mean, clock))
            rows.append(row)
    wanted = target_text(study.runs[0].metric, tau)
    if study.hits_in_a_row > 1:
        wanted += f', {study.hits_in_a_row} in a row,'
    header = ['variant', 'clock', 'baseline', 'ours', 'speedup']
    header += ['median of pairs', f'{CONFIDENCE:.0%} interval']
    if not study.baseline:
        header = ['variant', 'clock', 'mean curve']
    return Table(f'Time to {wanted} on three clocks: mean curves and pairs', header, rows)


def rates_table(study: Study) -> Table:
    """The runs of the baseline with other learning rates."""
    runs = sorted(study.rate_runs, key=lambda run: (run.seed or 0, learning_rate(run) or 0))
    metric = study.runs[0].metric
    rows = [
        [
            str(run.seed),
            setting_text(learning_rate(run)),
            *('-' if isnan(end) else value_text(end, metric) for end in final_and_best(run)),
        ]
        for run in runs
    ]
    name = metric_name(metric)
    rate = setting_text(learning_rate(study.baseline.runs[0])) if study.baseline else '-'
    return Table(
        f'The baseline with other learning rates, on seeds for tuning; the one in use is {rate}',
        ['seed', 'learning rate', f'final {name}', f'best {name}'],
        rows,
    )
