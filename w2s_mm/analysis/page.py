"""What a report says, as blocks that HTML and Markdown are made of."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from .blocks import Block, Figure, Heading, Page, Paragraph, Table
from .bootstrap import CONFIDENCE, RESAMPLES, SEED
from .compare import Comparison
from .curves import mean_run
from .evidence import Evidence, Variant
from .plots import in_words, of_pairs, title
from .report import CLOCKS, closed_text, ends_text
from .runs import Clock, Run
from .timing import Crossing, crossing
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


FEW = 5  # pairs, below which an interval is a formality


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
    blocks += _gradients(evidence)
    blocks += _cost_of_teachers(evidence)
    blocks += _how(evidence)
    blocks += _runs(evidence)
    return Page(title(evidence, evidence.taus[0]), blocks)


def _target(evidence: Evidence, tau: float, suffix: str) -> Iterator[Block]:
    if len(evidence.variants) == 1:
        yield Paragraph(_headline(evidence, evidence.variants[0], tau), lead=True)
    elif evidence.baseline:
        yield Paragraph(_ranking(evidence, tau), lead=True)
    yield Figure(f'curves{suffix}', _caption(evidence, tau), tau)
    if len(evidence.variants) > 1:
        yield _summary(evidence, tau)
    for variant in evidence.variants:
        yield _seeds(evidence, variant, tau)
    yield _clocks(evidence, tau)


def _headline(evidence: Evidence, variant: Variant, tau: float) -> str:
    c = evidence.compare(variant, tau)
    target = target_text(c.metric, tau)
    if not c.with_baseline:
        return f'{target} reached at iteration {_mean_at(variant, tau)}.'
    if c.mean is None or c.mean.speedup is None:
        return 'No seed has both a baseline and a run of ours: nothing can be compared.'
    base, ours = (crossing_text(at, 'iter') for at in (c.mean.baseline_at, c.mean.ours_at))
    if c.mean.speedup.unknown:
        result = f'Neither side has reached {target} (baseline {base}, ours {ours} iterations)'
    else:
        result = (
            f'{target} is reached {in_words(c.mean.speedup)}: {ours} iterations instead of {base}'
        )
    if c.interval is None or c.median is None:
        return f'{result}. One pair of runs: another seed may well give another figure.'
    return (
        f'{result} ({of_pairs(c)}). The median of the paired ratios is '
        f'{speedup_text(c.median, median=True)}, {CONFIDENCE:.0%} interval '
        f'{interval_text(c.interval)}{_few(c)}.'
    )


def _ranking(evidence: Evidence, tau: float) -> str:
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


def _mean_at(variant: Variant, tau: float) -> str:
    return crossing_text(crossing(mean_run(variant.runs), tau), 'iter')


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
        at = _mean_at(evidence.baseline, tau)
        rows.append([evidence.baseline.name, at, '', '', '', final, best])
    for variant in evidence.variants:
        c = evidence.compare(variant, tau)
        final, best = (_mean_text(variant.runs, which, metric) for which in (0, 1))
        ratio = speedup_text(c.mean.speedup) if c.mean else '-'
        middle = speedup_text(c.median, median=True)
        at = _mean_at(variant, tau)
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
    sides = 'baseline / with teacher' if c.with_baseline else 'as measured'
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


def _gradients(evidence: Evidence) -> Iterator[Block]:
    measured = [run for run in evidence.runs if run.gradients]
    if not measured:
        return
    yield Heading('Gradient norms of the two terms')
    for run in measured:
        name = f'gradients_{variant_and_seed(run)}'
        yield Figure(name, f'{run.path.parent.name}/{run.name}, seed {run.seed}', run=run)


def variant_and_seed(run: Run) -> str:
    """A name for a file."""
    return f'{run.path.resolve().parent.name}_{run.name}'


def _cost_of_teachers(evidence: Evidence) -> Iterator[Block]:
    taught = any(run.reference is not None for run in evidence.runs)
    if not taught:
        return
    yield Heading('What training the teacher cost')
    if not evidence.teachers:
        yield Paragraph('Not known: the run that wrote its checkpoint is not at hand.')
        return
    yield Paragraph(
        'Not part of the figures above: the method is for when a weaker model exists already.'
    )
    rows = [
        [cost.name, f'{cost.iters:.0f}', f'{cost.train_seconds:.0f}', f'{cost.wall_seconds:.0f}']
        for cost in evidence.teachers
    ]
    header = ['teacher', 'iterations', 'seconds of training', 'seconds, everything included']
    yield Table('Up to the checkpoint that taught', header, rows)


def _how(evidence: Evidence) -> Iterator[Block]:
    yield Heading('How to read this')
    k = evidence.runs[0].hits_in_a_row
    better = 'at least' if evidence.runs[0].rule == 'greater' else 'at most'
    yield Paragraph(
        f'first@tau is the first validation at which the metric is {better} tau; "held" counts it '
        f'only when {k} validations in a row do. The headline is that of the mean curve of the '
        f'seeds; a pair is a baseline and a run with a teacher of the same seed.'
    )
    yield Paragraph(
        'A run that never arrives is "> T", T its last validation, and stays in: its ratio is then '
        'a bound, and the median and its interval are as wide as these bounds make them.'
    )
    yield Paragraph(
        f'The interval is the {CONFIDENCE:.0%} percentile bootstrap of the median of the paired '
        f'ratios: {RESAMPLES:,} resamples of the pairs, random seed {SEED}. With five pairs or '
        f'fewer it spans the least to the greatest ratio.'
    )
    yield Paragraph(
        "Seconds of training include the teacher's forward pass and leave validation out; the "
        'full clock includes everything since the run began, the one evaluation of the teacher too. '
        'Both mean something only where nothing else ran on the machine.'
    )


def _runs(evidence: Evidence) -> Iterator[Block]:
    yield Heading('Runs')
    notes = list(evidence.notes)
    for tau in evidence.taus:
        for variant in evidence.variants:
            notes += evidence.compare(variant, tau).notes
    for note in dict.fromkeys(notes):
        yield Paragraph(f'Note: {note}')
    if evidence.baseline and not evidence.notes:
        yield Paragraph(
            'Checked by fingerprints: both runs of a pair began with the same weights and were fed '
            'the same batches.'
        )
    rows = []
    for side in (evidence.baseline, *evidence.variants):
        if side is None:
            continue
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
    facts = _facts([run.record for run in evidence.runs if run.record])
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
