"""Which checkpoint makes a suitable teacher: the operating band, a choice, and the table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from w2s_mm.core.metric import Rule
from w2s_mm.report.runs import Run
from w2s_mm.report.wording import final_and_best, metric_name, table, value_text
from w2s_mm.utils.errors import W2SError

Verdict = Literal['too weak', 'suitable', 'too strong']

# Figures that differ by less are equal: 0.34 is exactly 15 % below 0.4.
_SAME = 1e-9
# Within this part of the band's width from an edge, another seed may well fall on the other side.
_EDGE = 0.1
_MORE_CHECKPOINTS = (
    'save checkpoints more often (default_hooks.checkpoint.interval, and max_keep_ckpts=-1 to '
    'keep them)'
)


@dataclass(frozen=True)
class Candidate:
    """A checkpoint, as the student's validation sees it.

    Attributes:
        checkpoint: Its path or address.
        value: Its metric, or None where there is no figure.
        entropy: Mean entropy of its answers in nats, or None where it gave none.
        answers: How many answers that is.
        problem: Why there is no figure.
    """

    checkpoint: str
    value: float | None = None
    entropy: float | None = None
    answers: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Baseline:
    """Metric of the finished student without a teacher, and where it is from."""

    value: float
    source: str = 'given'
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Band:
    """Where teachers are suitably weak: up to ``width`` (relative) worse than the baseline.

    The paper's "up to 15% weaker than the baseline student" (arXiv 2604.15451, section 3, "Weak
    Teacher Selection"): exactly 15 % is still suitable, as good as the baseline is too strong.

    Raises:
        W2SError: ``width`` is no fraction.
    """

    metric: str
    rule: Rule
    baseline: float
    width: float = 0.15

    def __post_init__(self) -> None:
        if not 0 < self.width < 1:
            raise W2SError(
                f'The band is {self.width:g}; expected a fraction between 0 and 1. '
                f'For 15 % type: --band 0.15'
            )

    def gap(self, value: float) -> float:
        """How much worse than the baseline, relative to it; negative where it is better."""
        difference = self.baseline - value
        return (difference if self.rule == 'greater' else -difference) / self.baseline

    def verdict(self, value: float) -> Verdict:
        """The paper's word for a teacher of this metric."""
        gap = self.gap(value)
        if gap > self.width + _SAME:
            return 'too weak'
        return 'suitable' if gap > _SAME else 'too strong'

    def at(self, gap: float) -> float:
        """The metric that is ``gap`` worse than the baseline."""
        return self.baseline * (1 - gap if self.rule == 'greater' else 1 + gap)


@dataclass(frozen=True)
class Selection:
    """Candidates in the order of the table, and the band they were held against."""

    band: Band
    baseline: Baseline
    candidates: list[Candidate]

    @property
    def recommended(self) -> Candidate | None:
        """The suitable candidate nearest to the middle of the band, None where none is suitable.

        The paper's teachers that made students faster lay 7.6 to 15.1 % below the student's best
        baseline metric (Tables 1 and 2), those that did not 43 % below or 16 % above (Table 3). Of
        the two teachers that it compares on one student (ResNet-50 under three optimizers) the one
        8 % below was faster each time than the one 9 to 10 % below. Nothing between 0 and 7.6 % was
        tried, so "the strongest that is still weaker" goes beyond the evidence; the middle of the
        band (7.5 %) is where it begins, and farthest from both failures. Of two that are equally
        near it is the weaker, which is the side that was tried.
        """

        def distance(candidate: Candidate) -> tuple[float, float]:
            gap = self.gap(candidate)
            return round(abs(gap - self.band.width / 2), 9), -gap

        return min(self._judged('suitable'), key=distance, default=None)

    def gap(self, candidate: Candidate) -> float:
        """:meth:`Band.gap` of a candidate that has a figure."""
        assert candidate.value is not None
        return self.band.gap(candidate.value)

    def verdict(self, candidate: Candidate) -> Verdict | None:
        """:meth:`Band.verdict`, or None where there is no figure."""
        return None if candidate.value is None else self.band.verdict(candidate.value)

    def nearest(self, verdict: Verdict) -> Candidate | None:
        """The candidate of that verdict which is nearest to the band."""
        middle = self.band.width / 2
        return min(
            self._judged(verdict), key=lambda each: abs(self.gap(each) - middle), default=None
        )

    def _judged(self, verdict: Verdict) -> list[Candidate]:
        return [each for each in self.candidates if self.verdict(each) == verdict]


def finished_baseline(runs: Sequence[Run], metric: str, rule: Rule) -> Baseline:
    """The best validation of a finished baseline, and the mean of these over several runs.

    The best and not the last, because the paper gives the best of its baselines (Tables 1 and 2),
    and the band is known from teachers held against that.

    Raises:
        W2SError: A run measured something else, had a teacher, or was never validated.
    """
    for run in runs:
        if (run.metric, run.rule) != (metric, rule):
            raise W2SError(
                f'The student goes by {metric} ({rule} is better), and {run.path} measured '
                f'{run.metric} ({run.rule} is better). Give the metric with --baseline instead, or '
                f'run the baseline with the metric of the student.'
            )
        if run.reference is not None:
            raise W2SError(
                f'{run.path} was trained with a teacher; expected the run without (model.gamma=0).'
            )
    ends = [final_and_best(run) for run in runs]
    for run, (_, best) in zip(runs, ends, strict=True):
        if not 0 < best < math.inf:
            raise W2SError(
                f'{run.path} has no validation with a {metric} above 0 yet. Finish that run, or '
                f'give the metric with --baseline.'
            )
    last, best = (mean(column) for column in zip(*ends, strict=True))
    which, end = f'best validation of {runs[0].name}', 'last'
    if len(runs) > 1:
        which, end = f'mean of the best validations of {len(runs)} runs', 'mean of the last'
    unfinished = ', '.join(run.name for run in runs if not run.finished)
    note = f'Not finished: {unfinished}. The baseline, and the band with it, may still change.'
    source = f'{which}; {end}: {value_text(last, metric)}'
    return Baseline(best, source, (note,) if unfinished else ())


def as_text(selection: Selection) -> str:
    """Lay a selection out: baseline and band, the table, the choice and what to know about it."""
    s, band = selection, selection.band
    name, metric = metric_name(band.metric), band.metric
    limits = [value_text(band.at(gap), metric) for gap in (band.width, 0)]
    lines = [
        f'Baseline {name} {value_text(band.baseline, metric)} ({s.baseline.source})',
        f'Suitable up to {percent(band.width)} {worse(band)}: {name} {" to ".join(limits)}',
        '',
    ]
    recommended = s.recommended
    names = _short_names(s.candidates)
    rows = []
    for short, candidate in zip(names, s.candidates, strict=True):
        if candidate.value is None:
            rows.append([short, '-', '-', '-', 'not evaluated'])
            continue
        verdict = 'recommended' if candidate is recommended else str(s.verdict(candidate))
        change = f'{100 * (candidate.value / band.baseline - 1):+.1f} %'
        entropy = '-' if candidate.entropy is None else f'{candidate.entropy:.3f}'
        rows.append([short, value_text(candidate.value, metric), change, entropy, verdict])
    lines += table(['checkpoint', name, 'to baseline', 'entropy', 'verdict'], rows)
    lines += ['', *_conclusion(s)]
    lines += [f'Note: {note}' for note in s.baseline.notes]
    lines += [
        f'Not evaluated: {short}: {candidate.problem}'
        for short, candidate in zip(names, s.candidates, strict=True)
        if candidate.problem
    ]
    if any(candidate.entropy is not None for candidate in s.candidates):
        lines.append(
            'Entropy: of the answers the student would be taught, mean, in nats. In the paper the '
            'too weak teacher had the highest, the too strong one the lowest.'
        )
    return '\n'.join(lines)


def as_json(selection: Selection) -> dict[str, Any]:
    """Everything the table says, as raw numbers; ``gap`` is relative, positive where weaker."""
    s, band = selection, selection.band
    recommended = s.recommended
    return {
        'format': 1,
        'metric': band.metric,
        'rule': band.rule,
        'baseline': {'value': band.baseline, 'source': s.baseline.source},
        'band': {'width': band.width, 'weakest': band.at(band.width), 'below': band.at(0)},
        'candidates': [
            {
                'checkpoint': each.checkpoint,
                'value': each.value,
                'gap': None if each.value is None else s.gap(each),
                'verdict': s.verdict(each),
                'entropy': each.entropy,
                'answers': each.answers,
                'problem': each.problem,
            }
            for each in s.candidates
        ],
        'recommended': recommended.checkpoint if recommended else None,
        'notes': [*_conclusion(s), *s.baseline.notes],
    }


def teacher_snippet(selection: Selection, teacher: dict[str, Any]) -> str:
    """``teacher=dict(...)`` of the recommended candidate, for the ``model`` of the student.

    Args:
        selection: One with a recommendation.
        teacher: The arguments it was evaluated with, its checkpoint aside.
    """
    chosen, band = selection.recommended, selection.band
    assert chosen is not None and chosen.value is not None
    arguments = {**teacher, 'checkpoint': chosen.checkpoint}
    inner = ''.join(f'    {key}={value!r},\n' for key, value in arguments.items())
    return (
        f'# {metric_name(band.metric)} {value_text(chosen.value, band.metric)}, '
        f'{percent(selection.gap(chosen))} {worse(band)} of '
        f'{value_text(band.baseline, band.metric)} (tools/select_teacher.py)\n'
        f'teacher=dict(\n{inner}),\n'
    )


def _conclusion(s: Selection) -> list[str]:
    recommended = s.recommended
    if recommended is None:
        return _nothing_suitable(s)
    gap, width = s.gap(recommended), s.band.width
    lines = [
        f'Recommended: {recommended.checkpoint}, {percent(gap)} {worse(s.band)}'
        + ('.' if len(s._judged('suitable')) == 1 else ', the nearest to the middle of the band.')
    ]
    if not _EDGE * width <= gap <= (1 - _EDGE) * width:
        side = 'too weak' if gap > width / 2 else 'too strong'
        lines.append(
            f'Caution: that is at the edge to "{side}"; another seed may fall on the other side. A '
            f'checkpoint nearer to {percent(width / 2)} {worse(s.band)} would be safer.'
        )
    if recommended.answers == 0:
        lines.append(
            'Caution: none of its answers is sure enough to be taught. Lower the score_thr of '
            'model.distill_head.'
        )
    return lines


def _nothing_suitable(s: Selection) -> list[str]:
    weak, strong = s.nearest('too weak'), s.nearest('too strong')
    lines = ['Nothing lies in the band.']
    for verdict, nearest in (('Too weak', weak), ('Too strong', strong)):
        if nearest is not None and nearest.value is not None:
            gap = s.gap(nearest)
            where = f'{percent(abs(gap))} ' + (worse if gap > 0 else _better)(s.band)
            lines.append(
                f'{verdict}, and nearest: {nearest.checkpoint}, '
                + ('as good as the baseline.' if abs(gap) <= _SAME else f'{where}.')
            )
    if weak and strong:
        lines.append(
            f'What to do: if one training gave both, {_MORE_CHECKPOINTS} and choose between them.'
        )
    elif weak:
        lines.append('What to do: train the teacher longer, or take a stronger one.')
        beyond = s.gap(weak) - s.band.width
        if beyond <= _EDGE * s.band.width:
            admits = math.ceil(100 * s.gap(weak) - _SAME) / 100
            lines.append(
                f'It is {100 * beyond:.1f} percentage points beyond the band, which seeds alone '
                f'can make: --band {admits:g} admits it.'
            )
    else:
        lines.append(
            f'What to do: take an earlier checkpoint of its training ({_MORE_CHECKPOINTS}), or a '
            f'weaker model.'
        )
    return lines


def worse(band: Band) -> str:
    """On which side of the baseline the weaker teachers are."""
    return f'{"below" if band.rule == "greater" else "above"} the baseline'


def _better(band: Band) -> str:
    return f'{"above" if band.rule == "greater" else "below"} the baseline'


def percent(fraction: float) -> str:
    """A fraction for a reader: ``6.2 %``."""
    return f'{round(100 * fraction, 1):g} %'


def _short_names(candidates: Sequence[Candidate]) -> list[str]:
    """File names, or whole paths where two files share a name."""
    names = [Path(candidate.checkpoint).name for candidate in candidates]
    shared = Counter(names)
    return [
        candidate.checkpoint if shared[name] > 1 else name
        for name, candidate in zip(names, candidates, strict=True)
    ]
