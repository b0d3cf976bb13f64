"""What a report says, as blocks that HTML and Markdown are made of."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from w2s_mm.report import background

from .blocks import Block, Figure, Heading, Page, Paragraph, Table
from .bootstrap import CONFIDENCE
from .comparison import Comparison
from .evidence import Evidence, Variant
from .headline import headline, mean_at, ranking, title
from .runs import Clock, Run
from .text import CLOCKS, closed_text, ends_text
from .timing import Crossing
from .wording import (
    UNITS,
    crossing_text,
    final_and_best,
    interval_text,
    metric_name,
    speedup_text,
    target_text,
    time_text,
    value_text,
)


def build_page(evidence: Evidence) -> Page:
    """Put the report together.

    Args:
        evidence: What it is about.
    """
    blocks: list[Block] = []
    for number, tau in enumerate(evidence.taus):
        if number:
            blocks.append(Heading(title(evidence, tau)))
        blocks += _target(evidence, tau, '' if number == 0 else f'_{tau:g}')
    blocks += background.gradients(evidence)
    blocks += background.cost_of_teachers(evidence)
    blocks += background.how(evidence)
    blocks += background.runs(evidence)
    return Page(title(evidence, evidence.taus[0]), blocks)


def _target(evidence: Evidence, tau: float, suffix: str) -> Iterator[Block]:
    if len(evidence.variants) == 1:
        yield Paragraph(headline(evidence, evidence.variants[0], tau), lead=True)
    elif evidence.baseline:
        yield Paragraph(ranking(evidence, tau), lead=True)
    yield Figure(f'curves{suffix}', _caption(evidence, tau), tau)
    if len(evidence.variants) > 1:
        yield _summary(evidence, tau)
    for variant in evidence.variants:
        yield _seeds(evidence, variant, tau)
    yield _clocks(evidence, tau)


def _caption(evidence: Evidence, tau: float) -> str:
    seeds = max(len(side.runs) for side in (evidence.baseline, *evidence.variants) if side)
    drawn = 'Bold: mean of the seeds; band: lowest to highest seed' if seeds > 1 else 'One run each'
    thin = '; thin: each seed' if seeds > 1 and len(evidence.variants) == 1 else ''
    return (
        f'{drawn}{thin}. Dotted: the target. Dashed green: the teacher as the student is '
        f'evaluated (m_ref). Diamonds: the gate closes. Below: the distillation weight, shaded '
        f'while it acts.'
    )


def _summary(evidence: Evidence, tau: float) -> Table:
    metric = evidence.runs[0].metric
    rows = []
    if evidence.baseline:
        final, best = (_mean_text(evidence.baseline.runs, which, metric) for which in (0, 1))
        at = mean_at(evidence.baseline, tau)
        rows.append([evidence.baseline.name, at, '', '', '', final, best])
    for variant in evidence.variants:
        c = evidence.compare(variant, tau)
        final, best = (_mean_text(variant.runs, which, metric) for which in (0, 1))
        ratio = speedup_text(c.mean.speedup) if c.mean else '-'
        middle = speedup_text(c.median, median=True)
        at = mean_at(variant, tau)
        rows.append([variant.name, at, ratio, middle, interval_text(c.interval), final, best])
    name = metric_name(metric)
    header = ['', f'first@{target_text(metric, tau)}, mean curve', 'speedup, mean curve']
    header += ['median of pairs', f'{CONFIDENCE:.0%} interval', f'final {name}', f'best {name}']
    return Table('All variants, in iterations; final and best: means of the seeds', header, rows)


def _mean_text(runs: list[Run], which: int, metric: str) -> str:
    values = [final_and_best(run)[which] for run in runs]
    return value_text(sum(values) / len(values), metric)


def _seeds(evidence: Evidence, variant: Variant, tau: float) -> Table:
    c = evidence.compare(variant, tau)
    held = evidence.compare(variant, tau, sustained=True)
    k = held.hits_in_a_row
    name, target = metric_name(c.metric), target_text(c.metric, tau)
    rows = []
    for pair, sustained in zip(c.pairs, held.pairs, strict=True):
        row = [str(pair.seed)]
        for each in (pair, sustained):
            ats = [crossing_text(each.baseline_at, 'iter')] if c.with_baseline else []
            row.append(' / '.join([*ats, crossing_text(each.ours_at, 'iter')]))
            if c.with_baseline:
                row.append(speedup_text(each.speedup))
        rows.append([*row, *ends_text(pair, c), closed_text(pair.ours, 'iter')])
    if c.mean and len(c.pairs) > 1 and held.mean:
        means = ['mean curve']
        for each in (c.mean, held.mean):
            ats = [crossing_text(at, 'iter') for at in (each.baseline_at, each.ours_at)]
            means += [' / '.join(ats), speedup_text(each.speedup)]
        rows.append([*means, *ends_text(c.mean, c), ''])
        rows.append(_median_row(c, held))
    ratio = ['speedup'] if c.with_baseline else []
    header = ['seed', f'first@{target}', *ratio, f'held {k} times', *ratio]
    header += [f'final {name}', f'best {name}', 'gate closed at']
    ours = 'with teacher' if variant.taught else 'without teacher too'
    sides = f'baseline / {ours}' if c.with_baseline else 'as measured'
    return Table(f'{variant.name}, by seed, in iterations ({sides})', header, rows)


def _median_row(c: Comparison, held: Comparison) -> list[str]:
    row = ['median']
    for each in (c, held):
        row += ['', speedup_text(each.median, median=True)]
    return [*row, '', '', '']


def _clocks(evidence: Evidence, tau: float) -> Table:
    rows = []
    for variant in evidence.variants:
        for clock in CLOCKS:
            c = evidence.compare(variant, tau, clock)
            row = [variant.name, UNITS[clock]]
            if c.with_baseline:
                row.append(_middle([pair.baseline_at for pair in c.pairs], clock))
            row.append(_middle([pair.ours_at for pair in c.pairs], clock))
            if c.with_baseline:
                row += [speedup_text(c.median, median=True), interval_text(c.interval)]
            rows.append(row)
    target = target_text(evidence.runs[0].metric, tau)
    header = ['variant', 'clock', 'baseline', 'ours', 'speedup', f'{CONFIDENCE:.0%} interval']
    if not evidence.baseline:
        header = ['variant', 'clock', 'median']
    return Table(f'Time to {target} on three clocks: medians of the seeds', header, rows)


def _middle(crossings: list[Crossing | None], clock: Clock) -> str:
    """Median crossing; a run that has not arrived is later than every one that has."""
    known = [at for at in crossings if at]
    if not known:
        return '-'
    middle = median(at.time if at.reached else float('inf') for at in known)
    if middle < float('inf'):
        return time_text(middle, clock)
    return crossing_text(Crossing(max(at.time for at in known), reached=False), clock)
