"""The content of a report as blocks, from which HTML and Markdown are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from .comparison import Comparison
from .runs import Clock, Run
from .statistics import CONFIDENCE, RESAMPLES, SEED, Crossing, final_and_best
from .study import Study, Variant
from .text import closed_text, ends_text
from .wording import (
    UNITS,
    crossing_text,
    headline,
    interval_text,
    mean_at,
    metric_name,
    ranking,
    speedup_text,
    target_text,
    time_text,
    title,
    value_text,
)

CLOCKS: tuple[Clock, ...] = ('iter', 'train_seconds', 'wall_seconds')


@dataclass(frozen=True)
class Heading:
    """Title of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``lead`` marks the one with the result."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption."""

    caption: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Figure:
    """A picture of the learning curves at ``tau``, or of the gradient norms of ``run``."""

    name: str
    caption: str
    tau: float = 0.0
    run: Run | None = None


Block = Heading | Paragraph | Table | Figure


@dataclass(frozen=True)
class Page:
    """A title and the blocks below it."""

    title: str
    blocks: list[Block]


def build_page(study: Study, explained: bool = True) -> Page:
    """Put the report together.

    Args:
        study: What it is about.
        explained: With the section on how to read it.
    """
    blocks: list[Block] = []
    for number, tau in enumerate(study.taus):
        if number:
            blocks.append(Heading(title(study, tau)))
        blocks += _target(study, tau, '' if number == 0 else f'_{tau:g}')
    blocks += _gradients(study)
    blocks += _teachers(study)
    if explained:
        blocks += _how_to_read(study)
    blocks += _runs(study)
    return Page(title(study, study.taus[0]), blocks)


# ------------------------------------------------------------------------------------ the results


def _target(study: Study, tau: float, suffix: str) -> Iterator[Block]:
    if len(study.variants) == 1:
        yield Paragraph(headline(study, study.variants[0], tau), lead=True)
    elif study.baseline:
        yield Paragraph(ranking(study, tau), lead=True)
    yield Figure(f'curves{suffix}', _caption(study), tau)
    if len(study.variants) > 1:
        yield _summary(study, tau)
    for variant in study.variants:
        yield _seeds(study, variant, tau)
    yield _clocks(study, tau)


def _caption(study: Study) -> str:
    several = max(len(side.runs) for side in study.sides) > 1
    parts = ['Bold: mean of the seeds; band: lowest to highest seed' if several else 'One run each']
    if several and len(study.variants) == 1:
        parts[0] += '; thin: each seed'
    parts.append('Dotted: the target')
    if any(run.reference is not None for run in study.runs):
        parts.append("Dashed green: the teacher's metric on the student's validation set (m_ref)")
    if any(run.closed_at is not None for run in study.runs):
        parts.append('Diamonds: the gate closes')
    if any(run.weights for run in study.runs):
        parts.append('Lower panel: the distillation weight')
    return '. '.join(parts) + '.'


def _summary(study: Study, tau: float) -> Table:
    metric = study.runs[0].metric
    rows = []
    if study.baseline:
        final, best = (_mean_text(study.baseline.runs, which, metric) for which in (0, 1))
        at = mean_at(study.baseline, tau)
        rows.append([study.baseline.name, at, '', '', '', final, best])
    for variant in study.variants:
        c = study.compare(variant, tau)
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


def _seeds(study: Study, variant: Variant, tau: float) -> Table:
    first = study.compare(variant, tau)
    sustained = study.compare(variant, tau, sustained=True)
    name, target = metric_name(first.metric), target_text(first.metric, tau)
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
    header = ['seed', f'first@{target}', *ratio, f'{sustained.hits_in_a_row} in a row', *ratio]
    header += [f'final {name}', f'best {name}', 'gate closed at']
    ours = 'with teacher' if variant.has_teacher else variant.name
    sides = f'baseline / {ours}' if first.with_baseline else 'no baseline'
    return Table(f'{variant.name}, by seed, in iterations ({sides})', header, rows)


def _median_row(first: Comparison, sustained: Comparison) -> list[str]:
    row = ['median']
    for each in (first, sustained):
        row += ['', speedup_text(each.median, median=True)]
    return [*row, '', '', '']


def _clocks(study: Study, tau: float) -> Table:
    rows = []
    for variant in study.variants:
        for clock in CLOCKS:
            c = study.compare(variant, tau, clock)
            row = [variant.name, UNITS[clock]]
            if c.with_baseline:
                row.append(_middle([pair.baseline_at for pair in c.pairs], clock))
            row.append(_middle([pair.ours_at for pair in c.pairs], clock))
            if c.with_baseline:
                row += [speedup_text(c.median, median=True), interval_text(c.interval)]
            rows.append(row)
    target = target_text(study.runs[0].metric, tau)
    header = ['variant', 'clock', 'baseline', 'ours', 'speedup', f'{CONFIDENCE:.0%} interval']
    if not study.baseline:
        header = ['variant', 'clock', 'median']
    return Table(f'Time to {target} on three clocks: medians of the seeds', header, rows)


def _middle(crossings: list[Crossing | None], clock: Clock) -> str:
    """Median crossing; a run that did not reach the target is later than every one that did."""
    known = [at for at in crossings if at]
    if not known:
        return '-'
    middle = median(at.time if at.reached else float('inf') for at in known)
    if middle < float('inf'):
        return time_text(middle, clock)
    return crossing_text(Crossing(max(at.time for at in known), reached=False), clock)


# ---------------------------------------------------------------------------------- the background


def _gradients(study: Study) -> Iterator[Block]:
    figures = [
        Figure(f'gradients_{side.name}_seed{run.seed}', f'{side.name}, seed {run.seed}', run=run)
        for side in study.sides
        for run in side.runs
        if run.gradients
    ]
    if figures:
        yield Heading('Gradient norms of the two terms')
        yield from figures


def _teachers(study: Study) -> Iterator[Block]:
    if all(run.reference is None for run in study.runs):
        return
    yield Heading('Cost of training the teacher')
    if not study.teachers:
        yield Paragraph('Not known: the run that wrote its checkpoint is not available.')
        return
    yield Paragraph(
        'Not included in the figures above: the method assumes that a weaker model already exists.'
    )
    rows = [
        [
            teacher.run.name,
            f'{teacher.iters:.0f}',
            f'{teacher.seconds("train_seconds"):.0f}',
            f'{teacher.seconds("wall_seconds"):.0f}',
        ]
        for teacher in study.teachers
    ]
    header = ['teacher', 'iterations', UNITS['train_seconds'], UNITS['wall_seconds']]
    yield Table('Up to the checkpoint that was used', header, rows)


def _how_to_read(study: Study) -> Iterator[Block]:
    yield Heading('How to read this')
    k = study.runs[0].hits_in_a_row
    better = 'at least' if study.runs[0].rule == 'greater' else 'at most'
    yield Paragraph(
        f'first@tau is the first validation at which the metric is {better} tau; "{k} in a row" '
        f'counts it only if {k} validations in a row reach tau. The headline compares the mean '
        f'curves of the seeds; a pair is a baseline and a run with a teacher of the same seed.'
    )
    yield Paragraph(
        'A run that does not reach the target is shown as "> T", where T is its last validation, '
        'and is kept: its ratio is then a bound, and the median and its interval are as wide as '
        'these bounds make them.'
    )
    yield Paragraph(
        f'The interval is the {CONFIDENCE:.0%} percentile bootstrap of the median of the paired '
        f'ratios: {RESAMPLES:,} resamples of the pairs, random seed {SEED}. With five pairs or '
        f'fewer it goes from the smallest to the largest ratio.'
    )
    yield Paragraph(
        "Seconds of training include the teacher's forward pass and exclude validation; the full "
        'clock includes everything since the start of the run, also the evaluation of the teacher. '
        'Both are meaningful only if nothing else ran on the machine.'
    )


def _runs(study: Study) -> Iterator[Block]:
    yield Heading('Runs')
    notes = list(study.notes)
    for tau in study.taus:
        for variant in study.variants:
            notes += study.compare(variant, tau).notes
    old = [run.name for run in study.runs if run.reference is not None and run.weights is None]
    if old:
        notes.append(
            f'The files of {", ".join(dict.fromkeys(old))} have format 1, without the distillation '
            f'weight: it is not drawn.'
        )
    for note in dict.fromkeys(notes):
        yield Paragraph(f'Note: {note}')
    if study.baseline and not study.notes:
        yield Paragraph(
            'Checked by fingerprints: both runs of a pair began with the same weights and received '
            'the same batches.'
        )
    rows = []
    for side in study.sides:
        records = [run.record for run in side.runs if run.record]
        references = {
            value_text(r.reference, r.metric) for r in side.runs if r.reference is not None
        }
        rows.append(
            [
                side.name,
                ', '.join(str(run.seed) for run in side.runs),
                _all(records, 'config'),
                _all(records, 'parameters'),
                ', '.join(sorted(references)) or '-',
                ', '.join(sorted({str(run.max_iters) for run in side.runs})),
            ]
        )
    header = ['', 'seeds', 'config', 'parameters', 'm_ref', 'iterations']
    yield Table('What was compared', header, rows)
    facts = _facts([run.record for run in study.runs if run.record])
    if facts:
        yield Table('Software and hardware', ['', ''], facts)


def _all(records: list[dict[str, Any]], key: str) -> str:
    return ', '.join(dict.fromkeys(str(record[key]) for record in records)) or 'not recorded'


def _facts(records: list[dict[str, Any]]) -> list[list[str]]:
    """Each fact once, or all its values where runs differ."""
    facts: dict[str, dict[str, None]] = {}
    for record in records:
        for part in ('software', 'hardware'):
            for name, value in record[part].items():
                if value is not None:
                    facts.setdefault(name, {})[str(value)] = None
    return [[name, ', '.join(values)] for name, values in facts.items()]
