"""Reads the runs of a study from their work directories, and checks that they are fair pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.run_files import TIME_TO_TARGET

from .runs import Run, load_run
from .study import Shortened, Study, TeacherRun, Variant

_BUDGET = re.compile(r'[_-]?budget[\d.]+$')
_START = (('initial_weights', 'the initial weights'), ('batches', 'the first batches'))


def gather(
    run_dirs: Sequence[str | Path],
    baseline_dirs: Sequence[str | Path] = (),
    *,
    taus: Sequence[float] = (),
    teacher_dirs: Sequence[str | Path] = (),
    rate_dirs: Sequence[str | Path] = (),
    sustained: bool = False,
    margin: float | None = None,
) -> Study:
    """Read work directories and group those that differ only in their seed.

    Runs for a part of the length (``w2s train --budget``) may be among them; they are told by what
    ``run.json`` says.

    Args:
        run_dirs: Of our runs; ``student_seed0``, ``student_seed1`` or ``student/seed0``,
            ``student/seed1`` are one variant, ``student``.
        baseline_dirs: Of the runs they are paired with.
        taus: Targets; by default those of the runs.
        teacher_dirs: Of the runs that trained the teachers, where the runs do not name them.
        rate_dirs: Of runs of the baseline with other learning rates, on seeds for tuning.
        sustained: Whether the headline counts a crossing only if it holds for k validations.
        margin: How much worse the final metric of a shorter run may be than the full baseline's.

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
    return make_study(
        variants,
        baseline,
        taus,
        _teacher_runs(runs, teacher_dirs),
        rate_runs=[load_run(path) for path in rate_dirs],
        sustained=sustained,
        margin=margin,
    )


def make_study(
    variants: list[Variant],
    baseline: Variant | None,
    taus: Sequence[float],
    teachers: list[TeacherRun],
    **options: Any,
) -> Study:
    """Check the pairs, separate the runs of each budget, and put a study together.

    Args:
        variants: With all their runs, whatever their budget.
        baseline: The same.
        taus: Targets; by default those of the runs.
        teachers: The runs that trained the teachers.
        options: ``rate_runs``, ``sustained`` and ``margin`` of the study.

    Raises:
        W2SError: Runs of a pair started differently, or a side has no run of the full length.
    """
    sides = [*variants, baseline] if baseline else variants
    budgets = sorted({run.budget for side in sides for run in side.runs}, reverse=True)
    parts = {budget: [_with_budget(side, budget) for side in sides] for budget in budgets}
    full = parts.pop(1.0, [])
    missing = [
        side.name for side in sides if side.name not in {each.name for each in full if each.runs}
    ]
    if missing:
        raise W2SError(
            f'{", ".join(missing)} has no run of the full length, only for a part of it (budgets '
            f'{", ".join(f"{budget:g}" for budget in budgets)}). Add the runs of the full length.'
        )
    whole = full.pop() if baseline else None
    runs = [run for variant in full for run in variant.runs]
    taus = list(taus) or list(dict.fromkeys(tau for run in runs for tau in run.thresholds))
    notes = []
    unchecked = check_same_start(runs, whole.runs if whole else [])
    if unchecked:
        notes = [
            f'Equal initial weights and data order could not be checked by fingerprints for seed '
            f'{", ".join(unchecked)} (the runs have none).'
        ]
    shortened = [
        Shortened(budget, [side for side in part if side.runs]) for budget, part in parts.items()
    ]
    return Study(full, whole, taus, teachers, notes, shortened=shortened, **options)


def _with_budget(side: Variant, budget: float) -> Variant:
    return Variant(side.name, [run for run in side.runs if run.budget == budget])


def variant_name(path: str | Path, seed: int | None) -> str:
    """Name of a work directory without seed and budget, or of its parent if nothing is left."""
    path = Path(path).absolute()
    name = re.sub(rf'[_-]?(?:seed)?[_-]?(?<!\d){seed}$', '', path.name)
    name = _BUDGET.sub('', name)
    while not name:
        path = path.parent
        name = _BUDGET.sub('', path.name)
    return name


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

    Initial weights are compared only where an equal start is claimed: not if one run was started
    from another model (:class:`~w2s_mm.hooks.StartHook`), or both in different ways.

    Raises:
        W2SError: Initial weights or first batches differ.
    """
    for key, what in _START if one.get('start') == other.get('start') else _START[1:]:
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
