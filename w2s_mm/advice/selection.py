"""Which checkpoint is a suitable teacher: the choice among candidates, and its table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s_mm.report.text import table
from w2s_mm.report.wording import metric_name, value_text

from .band import NO_ANSWERS, SAME, Band, Baseline, Candidate, Verdict

# Closer to an edge than this part of the band's width, another seed may be on the other side.
_EDGE = 0.1
_MORE_CHECKPOINTS = (
    'save checkpoints more often (default_hooks.checkpoint.interval, and max_keep_ckpts=-1 to '
    'keep them)'
)


@dataclass(frozen=True)
class Selection:
    """Candidates in the order of the table, and the band they are compared with."""

    band: Band
    baseline: Baseline
    candidates: list[Candidate]

    @property
    def recommended(self) -> Candidate | None:
        """The suitable candidate nearest to the middle of the band, None if none is suitable.

        The paper's teachers that made students faster were 7.6 to 15.1 % below the student's best
        baseline metric (Tables 1 and 2), those that did not 43 % below or 16 % above (Table 3). Of
        the two teachers that it compares on one student (ResNet-50 under three optimizers), the one
        8 % below was faster each time than the one 9 to 10 % below. Nothing between 0 and 7.6 % was
        tried, so "the strongest that is still weaker" goes beyond the evidence; the middle of the
        band (7.5 %) is where the evidence begins, and farthest from both failures. Of two that are
        equally near, the weaker one is taken, which is the side that was tried.
        """

        def distance(candidate: Candidate) -> tuple[float, float]:
            gap = self.gap(candidate)
            return round(abs(gap - self.band.width / 2), 9), -gap

        return min(self._judged('suitable'), key=distance, default=None)

    def gap(self, candidate: Candidate) -> float:
        """:meth:`Band.gap` of a candidate that was evaluated."""
        assert candidate.value is not None
        return self.band.gap(candidate.value)

    def verdict(self, candidate: Candidate) -> Verdict | None:
        """:meth:`Band.verdict`, or None for a candidate that was not evaluated."""
        return None if candidate.value is None else self.band.verdict(candidate.value)

    def nearest(self, verdict: Verdict) -> Candidate | None:
        """The candidate of that verdict which is nearest to the band."""
        middle = self.band.width / 2
        return min(
            self._judged(verdict), key=lambda each: abs(self.gap(each) - middle), default=None
        )

    def _judged(self, verdict: Verdict) -> list[Candidate]:
        return [each for each in self.candidates if self.verdict(each) == verdict]


def as_text(selection: Selection) -> str:
    """Baseline and band, the table, the recommendation and remarks on it."""
    s, band = selection, selection.band
    name, metric = metric_name(band.metric), band.metric
    limits = [value_text(band.at(gap), metric) for gap in (band.width, 0)]
    lines = [
        f'Baseline {name} {value_text(band.baseline, metric)} ({s.baseline.source})',
        f'Suitable: up to {band.distance_text(band.width)}, {name} {" to ".join(limits)}',
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
            "Entropy: mean over the teacher's predictions that would be distilled, in nats. In the "
            'paper the too weak teacher had the highest, the too strong one the lowest.'
        )
    return '\n'.join(lines)


def as_json(selection: Selection) -> dict[str, Any]:
    """The content of the table as raw numbers; ``gap`` is relative, positive for a weaker one."""
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
        teacher: The arguments it was evaluated with, without the checkpoint.
    """
    chosen, band = selection.recommended, selection.band
    assert chosen is not None and chosen.value is not None
    arguments = {**teacher, 'checkpoint': chosen.checkpoint}
    inner = ''.join(f'    {key}={value!r},\n' for key, value in arguments.items())
    return (
        f'# {metric_name(band.metric)} {value_text(chosen.value, band.metric)}, '
        f'{band.distance_text(selection.gap(chosen))} of '
        f'{value_text(band.baseline, band.metric)} (w2s select-teacher)\n'
        f'teacher=dict(\n{inner}),\n'
    )


def _conclusion(s: Selection) -> list[str]:
    recommended = s.recommended
    if recommended is None:
        return _nothing_suitable(s)
    gap, width = s.gap(recommended), s.band.width
    lines = [
        f'Recommended: {recommended.checkpoint}, {s.band.distance_text(gap)}'
        + ('.' if len(s._judged('suitable')) == 1 else ', the nearest to the middle of the band.')
    ]
    if not _EDGE * width <= gap <= (1 - _EDGE) * width:
        side = 'too weak' if gap > width / 2 else 'too strong'
        lines.append(
            f'Caution: this is close to "{side}"; another seed may be on the other side. A '
            f'checkpoint nearer to {s.band.distance_text(width / 2)} would be safer.'
        )
    if recommended.answers == 0:
        lines.append(NO_ANSWERS)
    return lines


def _nothing_suitable(s: Selection) -> list[str]:
    weak, strong = s.nearest('too weak'), s.nearest('too strong')
    lines = ['No checkpoint is in the band.']
    for verdict, nearest in (('Too weak', weak), ('Too strong', strong)):
        if nearest is not None and nearest.value is not None:
            where = s.band.distance_text(s.gap(nearest))
            lines.append(f'{verdict}, and nearest: {nearest.checkpoint}, {where}.')
    if weak and strong:
        lines.append(
            f'What to do: if both are from one run, {_MORE_CHECKPOINTS} and choose between them.'
        )
    elif weak:
        lines.append('What to do: train the teacher longer, or use a stronger one.')
        beyond = s.gap(weak) - s.band.width
        if beyond <= _EDGE * s.band.width:
            admits = math.ceil(100 * s.gap(weak) - SAME) / 100
            lines.append(
                f'It is {100 * beyond:.1f} percentage points outside the band, which another seed '
                f'alone can change: --band {admits:g} includes it.'
            )
    else:
        lines.append(
            f'What to do: use an earlier checkpoint of its run ({_MORE_CHECKPOINTS}), or a '
            f'weaker model.'
        )
    return lines


def _short_names(candidates: Sequence[Candidate]) -> list[str]:
    """File names, or whole paths where two files share a name."""
    names = [Path(candidate.checkpoint).name for candidate in candidates]
    shared = Counter(names)
    return [
        candidate.checkpoint if shared[name] > 1 else name
        for name, candidate in zip(names, candidates, strict=True)
    ]
