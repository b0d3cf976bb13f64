"""The content of a report as blocks, from which HTML and Markdown are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .blocks import Block, Figure, Heading, Page, Paragraph, Table
from .budgets import budgets_sentence, budgets_table
from .levels import target
from .plot_band import has_band
from .sentences import headline, ranking, title
from .settings import config_differences, setting_text
from .statistics import CONFIDENCE
from .study import Study
from .tables import clocks_table, decision_table, rates_table, seeds_table, summary_table
from .wording import UNITS, value_text

_BAND = (
    'Speedup against the strength of the teacher. Large: mean curves; small: pairs; triangles: '
    'bounds, where a run never reaches the level. Shaded: teachers up to 15 % weaker than the '
    'finished baseline.'
)


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
    blocks += _budgets(study)
    blocks += _rates(study)
    blocks += _gradients(study)
    blocks += _teachers(study)
    blocks += _differences(study)
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
    yield Figure('curves', f'curves{suffix}', _caption(study), tau)
    if study.baseline:
        yield summary_table(study, tau) if len(study.variants) > 1 else decision_table(study, tau)
        yield Figure('speedups', f'speedups{suffix}', _speedup_caption(study), tau)
        if has_band(study):
            yield Figure('band', f'band{suffix}', _BAND, tau)
    for variant in study.variants:
        yield seeds_table(study, variant, tau)
    yield clocks_table(study, tau)


def _speedup_caption(study: Study) -> str:
    lines = 'Bold: mean curves; thin: pairs. ' if len(study.variants) == 1 else ''
    return (
        f'Speedup in iterations at every target. {lines}A line ends where a run never reaches the '
        f'target.'
    )


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


# ---------------------------------------------------------------------------------- the background


def _budgets(study: Study) -> Iterator[Block]:
    if study.shortened:
        yield Heading('Shorter runs')
        if study.margin is not None:
            yield Paragraph(budgets_sentence(study))
        yield budgets_table(study)


def _rates(study: Study) -> Iterator[Block]:
    if not study.baseline:
        return
    yield Heading("The baseline's learning rate")
    if study.rate_runs:
        yield rates_table(study)
        return
    yield Paragraph(
        'Note: the baseline has not been compared with itself at half and at twice its learning '
        'rate. A speedup over a baseline with a bad learning rate means little.'
    )


def _gradients(study: Study) -> Iterator[Block]:
    figures = [
        Figure(
            'gradients',
            f'gradients_{side.name}_seed{run.seed}',
            f'{side.name}, seed {run.seed}',
            run=run,
        )
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


def _differences(study: Study) -> Iterator[Block]:
    if not study.baseline:
        return
    yield Heading('Differences of the configs')
    found, unknown = config_differences(study)
    if unknown:
        yield Paragraph(
            f'Note: not compared for {", ".join(dict.fromkeys(unknown))}: run.json has no resolved '
            f'config (it has one since version 0.2.0), or there is no baseline of that seed.'
        )
    if not found:
        return
    others = [each.setting for each in found if not each.is_distillation]
    if others:
        yield Paragraph(
            f'Note: the configs differ not only in the distillation but also in '
            f'{", ".join(others)}.'
        )
    names = [variant.name for variant in study.variants]
    rows = [
        [
            each.setting,
            setting_text(each.baseline),
            *(', '.join(map(setting_text, each.variants.get(name, ()))) or '=' for name in names),
        ]
        for each in found
    ]
    caption = 'Resolved configs of the pairs ("-": not set, "=": as the baseline)'
    yield Table(caption, ['setting', study.baseline.name, *names], rows)


def _how_to_read(study: Study) -> Iterator[Block]:
    yield Heading('How to read this')
    k = study.runs[0].hits_in_a_row
    better = 'at least' if study.runs[0].rule == 'greater' else 'at most'
    counted = f'; the headline counts {k} in a row' if study.sustained else ''
    yield Paragraph(
        f'first@tau is the first validation at which the metric is {better} tau; "{k} in a row" '
        f'counts it only if {k} validations in a row reach tau{counted}. The headline compares the '
        f'mean curves of the seeds; a pair is a baseline and a run with a teacher of the same seed.'
    )
    part = '95 % of it is it divided by 0.95.' if study.runs[0].rule == 'less' else ''
    yield Paragraph(
        "The teacher's level is its metric on the student's validation set. The baseline's final "
        "metric is its last validation: for a pair that of the pair's own baseline, for the mean "
        'curve that of the mean. It is reached by the first validation that is as good. ' + part
    )
    yield Paragraph(
        'A run that does not reach a level is shown as "> T", where T is its last validation, and '
        'is kept: its ratio is then a bound, and so may be the median.'
    )
    yield Paragraph(
        f'Faster pairs: the sign test, two-sided; pairs with equal times are left out of it. '
        f'{CONFIDENCE:.0%} interval: the geometric mean of the paired ratios with the t interval '
        f'of their logarithm; there is none if a ratio is only a bound. The difference of the '
        f'final metric is ours minus the baseline, mean of the pairs, with its {CONFIDENCE:.0%} t '
        f'interval.'
    )
    yield Paragraph(
        "Seconds of training include the teacher's forward pass and exclude validation; the full "
        'clock includes everything since the start of the run, also the evaluation of the teacher. '
        'Both are meaningful only if nothing else ran on the machine. "Teacher paid back": after '
        "how many students the seconds saved make up for the teacher's own training."
    )


def _runs(study: Study) -> Iterator[Block]:
    yield Heading('Runs')
    notes = list(study.notes)
    for tau in study.taus:
        for variant in study.variants:
            notes += study.compare(variant, target(tau)).notes
    old = [run.name for run in study.runs if run.reference is not None and run.weights is None]
    if old:
        notes.append(
            f'The files of {", ".join(dict.fromkeys(old))} have format 1, without the distillation '
            f'weight: it is not drawn.'
        )
    for note in dict.fromkeys(notes):
        yield Paragraph(f'Note: {note}')
    if study.baseline and not study.notes:
        started = [run.name for run in study.runs if run.claim in ('start', 'both')]
        yield Paragraph(
            'Checked by fingerprints: both runs of a pair began with the same weights and received '
            'the same batches.'
            + (
                f' The weights of {", ".join(started)} are left out of this check: a weaker model '
                f'gave them (claims "start" and "both").'
                if started
                else ''
            )
        )
    rows = []
    for side in study.sides:
        records = [run.record for run in side.runs if run.record]
        references = {
            value_text(r.reference, r.metric) for r in side.runs if r.reference is not None
        }
        rows.append(
            [
                study.label(side),
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
