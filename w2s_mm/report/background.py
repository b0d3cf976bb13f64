"""The second half of a report: what stands behind the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .blocks import Block, Figure, Heading, Paragraph, Table
from .bootstrap import CONFIDENCE, RESAMPLES, SEED
from .evidence import Evidence
from .runs import Run
from .wording import value_text


def gradients(evidence: Evidence) -> Iterator[Block]:
    """The two pulls, where a run measured them."""
    measured = [run for run in evidence.runs if run.gradients]
    if not measured:
        return
    yield Heading('Gradient norms of the two terms')
    for run in measured:
        name = f'gradients_{_file_name(run)}'
        yield Figure(name, f'{run.path.parent.name}/{run.name}, seed {run.seed}', run=run)


def _file_name(run: Run) -> str:
    return f'{run.path.resolve().parent.name}_{run.name}'


def cost_of_teachers(evidence: Evidence) -> Iterator[Block]:
    """What training the teachers took."""
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


def how(evidence: Evidence) -> Iterator[Block]:
    """What the figures are, and how they were worked out."""
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
        'full clock includes everything since the run began, also the evaluation of the teacher. '
        'Both mean something only where nothing else ran on the machine.'
    )


def runs(evidence: Evidence) -> Iterator[Block]:
    """Which runs these are, on what, and what a reader should know of them."""
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
