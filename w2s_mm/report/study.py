"""A study: a baseline, the variants compared with it, and what they have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from .comparison import Comparison, compare
from .levels import FINAL, NEARLY_FINAL, TEACHER, Level, target
from .runs import Clock, Run

_STEP = re.compile(r'(iter|epoch)_(\d+)$')


@dataclass(frozen=True)
class Variant:
    """Seeds of one configuration."""

    name: str
    runs: list[Run]

    @property
    def claim(self) -> str:
        """What its runs have of a weaker model, see :attr:`Run.claim`."""
        return ', '.join(dict.fromkeys(run.claim for run in self.runs))

    @property
    def has_teacher(self) -> bool:
        """Whether a teacher was used; a variant need not have one."""
        return any(run.reference is not None for run in self.runs)


@dataclass(frozen=True)
class Shortened:
    """The runs of a study that were trained for a part of the length.

    Attributes:
        budget: That part, below 1.
        sides: Those of the baseline and the variants.
    """

    budget: float
    sides: list[Variant]


@dataclass(frozen=True)
class TeacherRun:
    """The run that wrote a teacher's checkpoint.

    Attributes:
        run: That run; it has at least one validation.
        checkpoint: Stem of the checkpoint's file name, or empty for the end of the run.
    """

    run: Run
    checkpoint: str = ''

    @property
    def iters(self) -> float:
        """Iterations up to the checkpoint."""
        last = self.run.history[-1]
        if step := _STEP.search(self.checkpoint):
            count = int(step[2])
            return count if step[1] == 'iter' else count * last['iter'] / last['epoch']
        return last['iter']

    def seconds(self, clock: Clock) -> float:
        """Time up to the checkpoint."""
        return self.run.time_of(self.iters, clock)

    def taught(self, run: Run) -> bool:
        """Whether it wrote the checkpoint that ``run`` had as its teacher."""
        checkpoint = Path(((run.record or {}).get('teacher') or {}).get('checkpoint', ''))
        same_run = checkpoint.parent.name == self.run.path.name
        return same_run and self.checkpoint in ('', checkpoint.stem)


@dataclass(frozen=True)
class Study:
    """A baseline and the variants that are compared with it.

    Attributes:
        variants: At least one.
        baseline: None where runs are only measured.
        taus: Targets, the headline's first.
        teachers: The runs that trained the teachers, where they are known.
        notes: What could not be checked of the pairs.
        sustained: Whether the headline counts a crossing only if it holds for k validations.
        shortened: Runs to shorter ends, the longest first.
        margin: How much worse the final metric of such a run may be than that of the full baseline.
        rate_runs: Runs of the baseline with other learning rates, on seeds for tuning.
    """

    variants: list[Variant]
    baseline: Variant | None
    taus: list[float]
    teachers: list[TeacherRun]
    notes: list[str]
    sustained: bool = False
    shortened: list[Shortened] = field(default_factory=list)
    margin: float | None = None
    rate_runs: list[Run] = field(default_factory=list)
    _compared: dict[Any, Comparison] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sides(self) -> list[Variant]:
        """The baseline, if there is one, and the variants."""
        return [self.baseline, *self.variants] if self.baseline else self.variants

    @property
    def runs(self) -> list[Run]:
        """All runs, the baseline's first."""
        return [run for side in self.sides for run in side.runs]

    @property
    def all_runs(self) -> list[Run]:
        """All runs, also those to shorter ends."""
        return [
            *self.runs,
            *(r for part in self.shortened for side in part.sides for r in side.runs),
        ]

    @property
    def hits_in_a_row(self) -> int:
        """Validations in a row that the headline asks for."""
        return self.runs[0].hits_in_a_row if self.sustained else 1

    def label(self, side: Variant) -> str:
        """Name of a side; with its claim if some side was started from a weaker model."""
        started = any(run.claim in ('start', 'both') for run in self.runs)
        return f'{side.name} ({side.claim})' if started else side.name

    def levels(self, tau: float) -> list[Level]:
        """What a user decides by: the target, the teacher's level, the baseline's final metric."""
        if not self.baseline:
            return [target(tau)]
        taught = [TEACHER] if any(variant.has_teacher for variant in self.variants) else []
        return [target(tau), *taught, NEARLY_FINAL, FINAL]

    def compare(
        self,
        variant: Variant,
        level: Level,
        clock: Clock = 'iter',
        sustained: bool | None = None,
    ) -> Comparison:
        """Compare a variant with the baseline; computed once.

        Args:
            variant: One of ``variants``.
            level: What is to be reached.
            clock: Unit of time.
            sustained: As in :func:`~w2s_mm.report.comparison.compare`; by default as the headline.
        """
        sustained = self.sustained if sustained is None else sustained
        key = (variant.name, level, clock, sustained)
        if key not in self._compared:
            baselines = self.baseline.runs if self.baseline else []
            self._compared[key] = compare(
                variant.runs, baselines, level=level, clock=clock, sustained=sustained
            )
        return self._compared[key]

    def students_to_break_even(self, variant: Variant, level: Level) -> float | None:
        """Students after which the time saved up to ``level`` pays for the teacher's training.

        In seconds of training, on the mean curves; the teacher's are the mean of the teachers that
        the variant's runs had. Infinite where no time is saved; None where a time is not known.
        """
        c = self.compare(variant, level, 'train_seconds')
        at = (c.mean.baseline_at, c.mean.ours_at) if c.mean else (None, None)
        if not self.teachers or not at[0] or not at[1] or not (at[0].reached and at[1].reached):
            return None
        saved = at[0].time - at[1].time
        had = [each for run in variant.runs for each in self.teachers if each.taught(run)]
        cost = fmean(each.seconds('train_seconds') for each in had or self.teachers)
        return cost / saved if saved > 0 else float('inf')
