"""Why a teacher helps or does not: a verdict in words and the figures it rests on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from w2s_mm.report.timing import Speedup
from w2s_mm.report.wording import metric_name, speedup_text, table, target_text, value_text

from .selection import Band, Candidate, Verdict, percent, worse

# What the paper saw in each regime (arXiv 2604.15451, section 5).
_MEANING: dict[Verdict, str] = {
    'too weak': (
        'What it says is easy to imitate and tells little: in the paper such a teacher had the '
        'highest entropy, and made training slower.'
    ),
    'suitable': (
        'It knows enough to be worth hearing, and little enough to be followed: in the paper such '
        'teachers gave the greatest speedups.'
    ),
    'too strong': (
        'What it says is sharp and hard to follow early: in the paper such a teacher had the '
        'lowest entropy and the smallest gain in alignment, and hardly a speedup.'
    ),
}


@dataclass(frozen=True)
class Alignment:
    """How near a student is to the teacher.

    Attributes:
        cka: Linear CKA of their features, NaN where there were too few images.
        kl: Mean KL(student || teacher) in nats, None where there was nothing to compare.
        answers: How many answers that is.
        images: How many images were looked at.
    """

    cka: float
    kl: float | None
    answers: int
    images: int


@dataclass(frozen=True)
class Diagnosis:
    """A teacher, a student without it and one with it.

    Attributes:
        band: The operating band around the finished baseline.
        teacher: What the student's validation says of the teacher; it has a figure.
        baseline: Alignment of the student that was trained without it.
        student: Alignment of the student that was trained with it.
        tau: Target of the measured pair.
        speedup: Of the pair, where both runs measured one.
    """

    band: Band
    teacher: Candidate
    baseline: Alignment
    student: Alignment
    tau: float
    speedup: Speedup | None

    @property
    def verdict(self) -> Verdict:
        """By the operating band, the one rule of the paper that carries over to other tasks."""
        assert self.teacher.value is not None
        return self.band.verdict(self.teacher.value)

    @property
    def nearer(self) -> tuple[bool, bool]:
        """Whether the distilled student is nearer than the baseline by CKA, and by KL."""
        by_kl = (
            self.baseline.kl is not None
            and self.student.kl is not None
            and self.student.kl < self.baseline.kl
        )
        return self.student.cka > self.baseline.cka, by_kl


def as_text(diagnosis: Diagnosis) -> str:
    """The verdict, the figures, and what contradicts it."""
    d, band = diagnosis, diagnosis.band
    assert d.teacher.value is not None
    name, gap = metric_name(band.metric), band.gap(d.teacher.value)
    entropy = '-' if d.teacher.entropy is None else f'{d.teacher.entropy:.3f}'
    rows = [
        [f'{name} of the teacher', '', value_text(d.teacher.value, band.metric)],
        [f'{name} of the baseline', value_text(band.baseline, band.metric), ''],
        ['mean entropy of its answers, nats', '', entropy],
        ['CKA(student, teacher)', f'{d.baseline.cka:.3f}', f'{d.student.cka:.3f}'],
        ['KL(student || teacher), nats', _kl(d.baseline), _kl(d.student)],
    ]
    if d.speedup is not None:
        target = target_text(band.metric, d.tau)
        rows.append([f'speedup of this pair to {target}', '', speedup_text(d.speedup)])
    side = f'{percent(abs(gap))} {worse(band) if gap > 0 else "better than the baseline"}'
    width = max(len(row[0]) for row in rows)
    verdict = d.verdict.capitalize()
    rows = [[row[0].ljust(width), *row[1:]] for row in rows]
    return '\n'.join(
        [
            f'{verdict}: {name} {value_text(d.teacher.value, band.metric)} is {side} '
            f'({value_text(band.baseline, band.metric)}); suitable is up to {percent(band.width)}.',
            _MEANING[d.verdict],
            '',
            *table([''.ljust(width), 'baseline', 'with teacher'], rows),
            '',
            *_remarks(d),
        ]
    )


def _kl(alignment: Alignment) -> str:
    return '-' if alignment.kl is None else f'{max(alignment.kl, 0.0):.3f}'


def _remarks(d: Diagnosis) -> list[str]:
    by_cka, by_kl = d.nearer
    how = {
        (True, True): 'The taught student is nearer to the teacher, in features and in answers.',
        (True, False): 'The taught student is nearer to the teacher in features, not in answers.',
        (False, True): 'The taught student is nearer to the teacher in answers, not in features.',
        (False, False): (
            'Caution: the taught student is no nearer to the teacher than the untaught one. Either '
            'it has long gone beyond it (the gate closed early), or it heard too little: raise '
            'lambda_max, or lower the score_thr of model.distill_head.'
        ),
    }[by_cka, by_kl]
    lines = [how]
    if d.teacher.answers == d.student.answers == 0:  # a prediction of noise has no entropy
        lines.append(
            'Caution: none of its answers is sure enough to be taught. Lower the score_thr of '
            'model.distill_head.'
        )
    if d.speedup is not None:
        faster = d.speedup.low > 1
        slower = d.speedup.high < 1
        if d.verdict != 'suitable' and faster:
            lines.append('Caution: this pair was faster all the same; the figures of pairs count.')
        if d.verdict == 'suitable' and slower:
            lines.append(
                'Caution: this pair was slower all the same. Look at the schedule (lambda_max, '
                'hold) before another teacher.'
            )
    few = min(d.baseline.images, d.student.images)
    if few < 200 or math.isnan(d.baseline.cka + d.student.cka):
        lines.append(f'Caution: CKA of {few} images is noisy.')
    lines.append(
        'Entropy and KL depend on the task and the number of classes: compare them between '
        'teachers of one task, and KL only for one teacher.'
    )
    return lines


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Everything the text says, as raw numbers."""
    d = diagnosis
    assert d.teacher.value is not None

    def side(alignment: Alignment) -> dict[str, Any]:
        cka = alignment.cka if math.isfinite(alignment.cka) else None
        return {**asdict(alignment), 'cka': cka}

    return {
        'format': 1,
        'verdict': d.verdict,
        'metric': d.band.metric,
        'teacher': {
            'checkpoint': d.teacher.checkpoint,
            'value': d.teacher.value,
            'gap': d.band.gap(d.teacher.value),
            'entropy': d.teacher.entropy,
            'answers': d.teacher.answers,
        },
        'baseline_value': d.band.baseline,
        'band': d.band.width,
        'baseline': side(d.baseline),
        'student': side(d.student),
        'speedup': speedup_text(d.speedup),
        'remarks': _remarks(d),
    }
