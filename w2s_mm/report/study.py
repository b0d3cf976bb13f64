"""A study: a baseline, the variants compared with it, and what they have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.run_files import TIME_TO_TARGET

from .comparison import Comparison, compare
from .levels import FINAL, NEARLY_FINAL, TEACHER, Level, target
from .runs import Clock, Run, load_run

_STEP = re.compile(r'(iter|epoch)_(\d+)$')
_START = (('initial_weights', 'the initial weights'), ('batches', 'the first batches'))


@dataclass(frozen=True)
class Variant:
    """Seeds of one configuration."""

    name: str
    runs: list[Run]

    @property
    def has_teacher(self) -> bool:
        """Whether a teacher was used; a variant need not have one."""
        return any(run.reference is not None for run in self.runs)


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
    """

    variants: list[Variant]
    baseline: Variant | None
    taus: list[float]
    teachers: list[TeacherRun]
    notes: list[str]
    sustained: bool = False
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
    def hits_in_a_row(self) -> int:
        """Validations in a row that the headline asks for."""
        return self.runs[0].hits_in_a_row if self.sustained else 1

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
        """Students after which the time saved up to ``level`` pays for the teachers' training.

        In seconds of training, on the mean curves. Infinite where no time is saved; None where a
        time is not known.
        """
        c = self.compare(variant, level, 'train_seconds')
        at = (c.mean.baseline_at, c.mean.ours_at) if c.mean else (None, None)
        if not self.teachers or not at[0] or not at[1] or not (at[0].reached and at[1].reached):
            return None
        saved = at[0].time - at[1].time
        cost = sum(teacher.seconds('train_seconds') for teacher in self.teachers)
        return cost / saved if saved > 0 else float('inf')


def gather(
    run_dirs: Sequence[str | Path],
    baseline_dirs: Sequence[str | Path] = (),
    *,
    taus: Sequence[float] = (),
    teacher_dirs: Sequence[str | Path] = (),
    sustained: bool = False,
) -> Study:
    """Read work directories and group those that differ only in their seed.

    Args:
        run_dirs: Of our runs; ``student_seed0``, ``student_seed1`` or ``student/seed0``,
            ``student/seed1`` are one variant, ``student``.
        baseline_dirs: Of the runs they are paired with.
        taus: Targets; by default those of the runs.
        teacher_dirs: Of the runs that trained the teachers, where the runs do not name them.
        sustained: Whether the headline counts a crossing only if it holds for k validations.

    Raises:
        W2SError: A directory has no run, the runs cannot be compared, or runs of a pair started
            differently.
    """
    by_name: dict[str, list[Run]] = {}
    for path in run_dirs:
        run = load_run(path)
        by_name.setdefault(variant_name(path, run.seed), []).append(run)
    baselines = [load_run(path) for path in baseline_dirs]
    variants = [Variant(name, runs) for name, runs in by_name.items()]
    baseline = None
    if baselines:
        baseline = Variant(variant_name(baseline_dirs[0], baselines[0].seed), baselines)
    runs = [run for variant in variants for run in variant.runs]
    return make_study(variants, baseline, taus, _teacher_runs(runs, teacher_dirs), sustained)


def make_study(
    variants: list[Variant],
    baseline: Variant | None,
    taus: Sequence[float],
    teachers: list[TeacherRun],
    sustained: bool = False,
) -> Study:
    """Check the pairs and put a study together.

    Raises:
        W2SError: Runs of a pair started differently.
    """
    runs = [run for variant in variants for run in variant.runs]
    taus = list(taus) or list(dict.fromkeys(tau for run in runs for tau in run.thresholds))
    notes = []
    unchecked = check_same_start(runs, baseline.runs if baseline else [])
    if unchecked:
        notes = [
            f'Equal initial weights and data order could not be checked by fingerprints for seed '
            f'{", ".join(unchecked)} (the runs have none).'
        ]
    return Study(variants, baseline, taus, teachers, notes, sustained)


def variant_name(path: str | Path, seed: int | None) -> str:
    """Name of a work directory without the seed, or of its parent if nothing else is left."""
    path = Path(path).absolute()
    return re.sub(rf'[_-]?(?:seed)?[_-]?(?<!\d){seed}$', '', path.name) or path.parent.name


def check_same_start(runs: Sequence[Run], baselines: Sequence[Run]) -> list[str]:
    """Check that both runs of each pair began with the same weights and received the same batches.

    Returns:
        Seeds of the pairs that could not be checked.

    Raises:
        W2SError: A pair differs; the message says which one and in what.
    """
    partners = {run.seed: run for run in baselines}
    pairs = [(partners[run.seed], run) for run in runs if run.seed in partners]
    for base, ours in pairs:
        if base.record and ours.record:
            check_records(base.record, ours.record, base.path, ours.path)
    unknown = [str(ours.seed) for base, ours in pairs if not (_complete(base) and _complete(ours))]
    return list(dict.fromkeys(unknown))


def _complete(run: Run) -> bool:
    return bool(run.record and run.record['initial_weights'])


def check_records(
    one: dict[str, Any], other: dict[str, Any], path: str | Path, other_path: str | Path
) -> None:
    """Refuse the records of two runs of one seed that started differently.

    Raises:
        W2SError: Initial weights or first batches differ.
    """
    for key, what in _START:
        if one[key] and other[key] and one[key] != other[key]:
            raise W2SError(
                f'{path} and {other_path} (seed {one["seed"]}) differ in {what}: '
                f'{_shown(one[key])} and {_shown(other[key])}. A fair pair needs the same model, '
                f'init_cfg, data pipeline, batch size and sampler; only the distillation may '
                f'differ. Make these settings of the two configs agree.'
            )


def _shown(fingerprint: Any) -> str:
    return ' '.join(fingerprint) if isinstance(fingerprint, list) else str(fingerprint)


def _teacher_runs(runs: Sequence[Run], given: Sequence[str | Path]) -> list[TeacherRun]:
    """The runs that wrote the teachers' checkpoints, each once."""
    places: dict[Path, str] = {Path(path): '' for path in given}
    for run in runs:
        teacher = (run.record or {}).get('teacher')
        if teacher and '://' not in teacher['checkpoint']:
            checkpoint = Path(teacher['checkpoint'])
            places.setdefault(checkpoint.parent, checkpoint.stem)
    known = [
        TeacherRun(load_run(place), checkpoint)
        for place, checkpoint in places.items()
        if (place / TIME_TO_TARGET).is_file()
    ]
    return [teacher for teacher in known if teacher.run.history]
