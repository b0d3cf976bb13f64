"""Why a teacher helps or does not: a verdict and the figures behind it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from w2s_mm.report.statistics import Speedup
from w2s_mm.report.text import table
from w2s_mm.report.wording import metric_name, speedup_text, target_text, value_text

from .band import NO_ANSWERS, Band, Candidate, Verdict, percent

# What the paper observed in each regime (arXiv 2604.15451, section 5).
_MEANING: dict[Verdict, str] = {
    'too weak': (
        'Its predictions are easy to imitate but carry little information: in the paper such a '
        'teacher had the highest entropy and slowed the student down.'
    ),
    'suitable': (
        'Its predictions are informative and still easy to imitate: in the paper such teachers '
        'gave the greatest speedups.'
    ),
    'too strong': (
        'Its predictions are sharp and hard to imitate early: in the paper such a teacher had the '
        'lowest entropy, the smallest gain in alignment and hardly any speedup.'
    ),
}


@dataclass(frozen=True)
class Alignment:
    """How similar a student is to the teacher.

    Attributes:
        cka: Linear CKA of their features, NaN for too few images.
        kl: Mean KL(student || teacher) in nats, None if there was nothing to compare.
        answers: Number of predictions in that mean.
        images: Number of images.
    """

    cka: float
    kl: float | None
    answers: int
    images: int


@dataclass(frozen=True)
class Diagnosis:
    """A teacher, a student without it and one with it.

    Attributes:
        band: The operating band below the finished baseline.
        teacher: The teacher, evaluated by the student's validation.
        baseline: Alignment of the student that was trained without it.
        student: Alignment of the student that was trained with it.
        tau: Target of the measured pair.
        speedup: Of the pair, if both runs measured one.
    """

    band: Band
    teacher: Candidate
    baseline: Alignment
    student: Alignment
    tau: float
    speedup: Speedup | None

    @property
    def verdict(self) -> Verdict:
        """By the operating band, the one rule of the paper that holds for other tasks too."""
        assert self.teacher.value is not None
        return self.band.verdict(self.teacher.value)

    @property
    def closer(self) -> tuple[bool, bool]:
        """Whether the distilled student is closer than the baseline by CKA, and by KL."""
        by_kl = (
            self.baseline.kl is not None
            and self.student.kl is not None
            and self.student.kl < self.baseline.kl
        )
        return self.student.cka > self.baseline.cka, by_kl


def as_text(diagnosis: Diagnosis) -> str:
    """The verdict, the figures, and remarks on both."""
    d, band = diagnosis, diagnosis.band
    assert d.teacher.value is not None
    name, gap = metric_name(band.metric), band.gap(d.teacher.value)
    entropy = '-' if d.teacher.entropy is None else f'{d.teacher.entropy:.3f}'
    rows = [
        [f'{name} of the teacher', '', value_text(d.teacher.value, band.metric)],
        [f'{name} of the baseline', value_text(band.baseline, band.metric), ''],
        ['mean entropy of its predictions, nats', '', entropy],
        ['CKA(student, teacher)', f'{d.baseline.cka:.3f}', f'{d.student.cka:.3f}'],
        ['KL(student || teacher), nats', _kl(d.baseline), _kl(d.student)],
    ]
    if d.speedup is not None:
        target = target_text(band.metric, d.tau)
        rows.append([f'speedup of this pair to {target}', '', speedup_text(d.speedup)])
    width = max(len(row[0]) for row in rows)
    verdict = d.verdict.capitalize()
    rows = [[row[0].ljust(width), *row[1:]] for row in rows]
    return '\n'.join(
        [
            f'{verdict}: {name} {value_text(d.teacher.value, band.metric)} is '
            f'{band.distance_text(gap)} ({value_text(band.baseline, band.metric)}); suitable is up '
            f'to {percent(band.width)}.',
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
    by_cka, by_kl = d.closer
    subject = 'The distilled student is' if by_cka or by_kl else 'Caution: the student is'
    how = {
        (True, True): 'closer to the teacher than the baseline, in features and in predictions.',
        (True, False): 'closer to the teacher than the baseline in features, not in predictions.',
        (False, True): 'closer to the teacher than the baseline in predictions, not in features.',
        (False, False): (
            'no closer to the teacher than the baseline. Either it surpassed the teacher long ago '
            '(the gate closed early), or distillation was too weak: raise lambda_max, or lower the '
            'score_thr of model.distill_head.'
        ),
    }[by_cka, by_kl]
    lines = [f'{subject} {how}']
    if d.teacher.answers == d.student.answers == 0:  # a prediction of noise has no entropy
        lines.append(NO_ANSWERS)
    if d.speedup is not None:
        faster = d.speedup.low > 1
        slower = d.speedup.high < 1
        if d.verdict != 'suitable' and faster:
            lines.append('Caution: this pair was faster nevertheless; trust measured pairs more.')
        if d.verdict == 'suitable' and slower:
            lines.append(
                'Caution: this pair was slower nevertheless. Check the schedule (lambda_max, hold) '
                'before you try another teacher.'
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
    """The content of the text as raw numbers."""
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
