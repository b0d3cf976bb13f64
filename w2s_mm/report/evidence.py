"""Everything that one report compares: a baseline, variants of it, and what they have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from w2s_mm.utils.errors import W2SError

from .comparison import Comparison, compare
from .runs import TIME_TO_TARGET, Clock, Run, load_run

_SEED = re.compile(r'[_-]?(?:seed)?[_-]?\d+$')
_STEP = re.compile(r'(iter|epoch)_(\d+)$')
_START = (('initial_weights', 'the initial weights'), ('batches', 'the first batches'))


@dataclass(frozen=True)
class Variant:
    """Seeds of one configuration."""

    name: str
    runs: list[Run]

    @property
    def taught(self) -> bool:
        """Whether a teacher guided it; what is held against a baseline need not have one."""
        return any(run.reference is not None for run in self.runs)


@dataclass(frozen=True)
class TeacherCost:
    """What training a teacher took, up to the checkpoint that taught.

    Attributes:
        name: Name of its run.
        iters: Iterations.
        train_seconds: On the training clock.
        wall_seconds: Everything included.
    """

    name: str
    iters: float
    train_seconds: float
    wall_seconds: float


@dataclass(frozen=True)
class Evidence:
    """A baseline and what is held against it.

    Attributes:
        variants: At least one.
        baseline: None where runs are only measured.
        taus: Targets, the headline's first.
        teachers: What the teachers cost, where their runs are known.
        notes: What was checked of the pairs, and what could not be.
    """

    variants: list[Variant]
    baseline: Variant | None
    taus: list[float]
    teachers: list[TeacherCost]
    notes: list[str]
    _compared: dict[Any, Comparison] = field(default_factory=dict, repr=False, compare=False)

    @property
    def runs(self) -> list[Run]:
        """All of them, the baseline's first."""
        sides = [self.baseline, *self.variants] if self.baseline else self.variants
        return [run for side in sides if side for run in side.runs]

    def compare(
        self, variant: Variant, tau: float, clock: Clock = 'iter', sustained: bool = False
    ) -> Comparison:
        """A variant against the baseline; worked out once."""
        key = (variant.name, tau, clock, sustained)
        if key not in self._compared:
            baselines = self.baseline.runs if self.baseline else []
            self._compared[key] = compare(
                variant.runs, baselines, tau=tau, clock=clock, sustained=sustained
            )
        return self._compared[key]


def gather(
    run_dirs: Sequence[str | Path],
    baseline_dirs: Sequence[str | Path] = (),
    *,
    taus: Sequence[float] = (),
    teacher_dirs: Sequence[str | Path] = (),
) -> Evidence:
    """Read work directories and put those together that differ in their seed alone.

    Args:
        run_dirs: Of our runs; ``student_seed0``, ``student_seed1`` or ``student/seed0``,
            ``student/seed1`` are one variant, ``student``.
        baseline_dirs: Of the runs they are paired with.
        taus: Targets; the runs' own by default.
        teacher_dirs: Of the teachers' trainings, where the runs do not tell.

    Raises:
        W2SError: A directory holds no run, the runs cannot be compared, or runs of a pair did not
            start alike.
    """
    by_name: dict[str, list[Run]] = {}
    for path in run_dirs:
        by_name.setdefault(variant_name(path), []).append(load_run(path))
    baselines = [load_run(path) for path in baseline_dirs]
    variants = [Variant(name, runs) for name, runs in by_name.items()]
    runs = [run for variant in variants for run in variant.runs]
    taus = list(taus) or list(dict.fromkeys(tau for run in runs for tau in run.thresholds))
    notes = [note for variant in variants for note in check_same_start(variant.runs, baselines)]
    return Evidence(
        variants,
        Variant(variant_name(baseline_dirs[0]), baselines) if baselines else None,
        taus,
        _teacher_costs(runs, teacher_dirs),
        list(dict.fromkeys(notes)) if baselines else [],
    )


def variant_name(path: str | Path) -> str:
    """Name of a work directory without its seed, or of its parent where that is all."""
    path = Path(path).absolute()
    return _SEED.sub('', path.name) or path.parent.name


def check_same_start(runs: Sequence[Run], baselines: Sequence[Run]) -> list[str]:
    """Whether each pair began with the same weights and was fed the same batches.

    Returns:
        What could not be checked.

    Raises:
        W2SError: It did not; the message says which and what differs.
    """
    partners = {run.seed: run for run in baselines}
    pairs = [(partners[run.seed], run) for run in runs if run.seed in partners]
    for base, ours in pairs:
        if base.record and ours.record:
            check_records(base.record, ours.record, base.path, ours.path)
    unknown = [str(ours.seed) for base, ours in pairs if not (_complete(base) and _complete(ours))]
    if not unknown:
        return []
    return [
        f'Not checked by fingerprints: that initial weights and data order are equal, for seed '
        f'{", ".join(dict.fromkeys(unknown))} (runs from before they were recorded).'
    ]


def _complete(run: Run) -> bool:
    return bool(run.record and run.record['initial_weights'])


def check_records(
    one: dict[str, Any], other: dict[str, Any], path: str | Path, other_path: str | Path
) -> None:
    """Refuse two records of one seed that tell of another start.

    Raises:
        W2SError: Initial weights or first batches differ.
    """
    for key, what in _START:
        if one[key] and other[key] and one[key] != other[key]:
            raise W2SError(
                f'{path} and {other_path} (seed {one["seed"]}) differ in {what}: '
                f'{_shown(one[key])} and {_shown(other[key])}. A fair pair needs the same model, '
                f'init_cfg, data pipeline, batch size and sampler; only what teaches may differ. '
                f'Make these settings of the two configs agree.'
            )


def _shown(fingerprint: Any) -> str:
    return ' '.join(fingerprint) if isinstance(fingerprint, list) else str(fingerprint)


def _teacher_costs(runs: Sequence[Run], given: Sequence[str | Path]) -> list[TeacherCost]:
    """From the runs that wrote the teachers' checkpoints, each once."""
    places: dict[Path, str] = {Path(path): '' for path in given}
    for run in runs:
        teacher = (run.record or {}).get('teacher')
        if teacher and '://' not in teacher['checkpoint']:
            checkpoint = Path(teacher['checkpoint'])
            places.setdefault(checkpoint.parent, checkpoint.stem)
    costs = []
    for place, checkpoint_name in places.items():
        if not (place / TIME_TO_TARGET).is_file() or not load_run(place).history:
            continue
        teacher_run = load_run(place)
        last = teacher_run.history[-1]
        iters = last['iter']
        if step := _STEP.search(checkpoint_name):  # the checkpoint may be from the middle
            count = int(step[2])
            iters = count if step[1] == 'iter' else count * last['iter'] / last['epoch']
        costs.append(
            TeacherCost(
                teacher_run.name,
                iters,
                teacher_run.time_of(iters, 'train_seconds'),
                teacher_run.time_of(iters, 'wall_seconds'),
            )
        )
    return costs
