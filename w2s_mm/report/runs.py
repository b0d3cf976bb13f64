"""A run as its files describe it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from w2s_mm.core.metric import Rule
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.run_files import (
    FORMATS,
    GRADIENT_NORMS,
    OLD_GRADIENT_NORMS,
    RECORD,
    TIME_TO_TARGET,
    WEAK_TO_STRONG,
    checked,
    read_run_file,
)

Claim = Literal['baseline', 'guide', 'start', 'both']
Clock = Literal['iter', 'epoch', 'train_seconds', 'wall_seconds']

POINT = ('iter', 'epoch', 'train_seconds', 'wall_seconds', 'value')
# What a report reads.
FILES = (TIME_TO_TARGET, WEAK_TO_STRONG, RECORD, GRADIENT_NORMS, OLD_GRADIENT_NORMS)


@dataclass(frozen=True)
class Run:
    """One run, finished or not.

    Attributes:
        path: Its work directory.
        metric: Name of the metric as the evaluator reports it.
        rule: Whether a greater or a lesser value is better.
        seed: Seed of the run; runs are paired by it.
        hits_in_a_row: ``k`` of a sustained crossing.
        max_iters: Planned length in iterations.
        finished: False while it runs, or if it was interrupted.
        history: One ``{'iter', 'epoch', 'train_seconds', 'wall_seconds', 'value'}`` a validation.
        thresholds: The targets of the run.
        reference: The teacher's metric, or None for a run without a teacher.
        closed_at: Iteration at which distillation was stopped, or None.
        answers: Number of the teacher's answers, and how many of them were ignored because they had
            NaN or infinity; zeros where the files are too old to have it.
        weights: The distillation weight of each head, as ``(iteration, weight)`` points joined by
            straight lines; None where the files are too old to have it.
        record: What ``RunRecordHook`` wrote of its start, software and hardware, or None.
        gradients: What ``GradientNormHook`` measured, one entry a measurement.
        files: Content of the run's files by name, as it was read.
    """

    path: Path
    metric: str
    rule: Rule
    seed: int | None
    hits_in_a_row: int
    max_iters: int
    finished: bool
    history: list[dict[str, float]]
    thresholds: list[float]
    reference: float | None = None
    closed_at: float | None = None
    answers: tuple[int, int] = (0, 0)
    weights: list[list[tuple[float, float]]] | None = None
    record: dict[str, Any] | None = None
    gradients: tuple[dict[str, float], ...] = ()
    files: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Last part of the work directory's path."""
        return self.path.resolve().name

    @property
    def claim(self) -> Claim:
        """What it has of a weaker model: its answers, its weights, both, or nothing."""
        guided, started = self.reference is not None, bool((self.record or {}).get('start'))
        if guided:
            return 'both' if started else 'guide'
        return 'start' if started else 'baseline'

    @property
    def budget(self) -> float:
        """Part of the length of its config that it was planned for, see ``w2s train --budget``."""
        return ((self.record or {}).get('settings') or {}).get('budget', 1.0)

    @property
    def values(self) -> list[float]:
        """The metric, one a validation."""
        return [point['value'] for point in self.history]

    def times(self, clock: Clock) -> list[float]:
        """When the validations took place."""
        return [point[clock] for point in self.history]

    def time_of(self, iteration: float, clock: Clock) -> float:
        """Read ``clock`` at ``iteration``, interpolated between validations."""
        if clock == 'iter' or not self.history:
            return iteration
        points = [(0.0, 0.0), *((p['iter'], p[clock]) for p in self.history)]
        # Beyond the last validation, the last line is extended.
        after = min(max(bisect_left(points, (iteration,)), 1), len(points) - 1)
        (x0, y0), (x1, y1) = points[after - 1], points[after]
        return y0 + (y1 - y0) * (iteration - x0) / (x1 - x0) if x1 > x0 else y1


def load_run(path: str | Path) -> Run:
    """Read the work directory of a run, which may still be in progress.

    Raises:
        W2SError: The directory does not exist, has no measurement of a time to target, or its
            files cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        raise W2SError(
            f'{path} is not a directory; expected the work directory of a run (the --work-dir of '
            f'w2s train).'
        )
    if not (path / TIME_TO_TARGET).is_file():
        raise W2SError(_nothing_measured(path))
    files = {name: read_run_file(path / name) for name in FILES if (path / name).is_file()}
    return run_of(path, files)


def run_of(path: Path, files: Mapping[str, Any]) -> Run:
    """A run from the content of its files.

    Args:
        path: Work directory; its last part is the name of the run.
        files: Content by file name; at least ``time_to_target.json``.

    Raises:
        W2SError: Something that this version needs is missing, or has another format.
    """
    for name, content in files.items():
        if name not in FORMATS:
            raise W2SError(f'{path} has {name[:80]!r}; expected any of {", ".join(FORMATS)}.')
        checked(content, name, path / name)
    try:
        measured = files[TIME_TO_TARGET]
        if measured['rule'] not in get_args(Rule) or measured['hits_in_a_row'] < 1:
            raise ValueError(f'{measured["rule"]!r:.80}, {measured["hits_in_a_row"]}')
        run: dict[str, Any] = {
            'path': path,
            'metric': measured['metric'],
            'rule': measured['rule'],
            'seed': measured['seed'],
            'hits_in_a_row': measured['hits_in_a_row'],
            'max_iters': measured['max_iters'],
            'finished': measured['finished'],
            'history': [
                {name: _number(point[name]) for name in POINT} for point in measured['history']
            ],
            'thresholds': [target['threshold'] for target in measured['targets']],
            'record': files.get(RECORD),
            'files': files,
        }
        if distilled := files.get(WEAK_TO_STRONG):
            closed = distilled['closed_at']
            run['reference'] = distilled['reference']
            run['closed_at'] = closed['iter'] if closed else None
            if answers := distilled.get('answers'):
                run['answers'] = answers['answers'], answers['dropped']
            if distilled['format'] > 1:
                run['weights'] = [
                    [(iteration, weight) for iteration, weight in each['points']]
                    for each in distilled['weights']
                ]
        if gradients := files.get(GRADIENT_NORMS, files.get(OLD_GRADIENT_NORMS)):
            run['gradients'] = tuple(gradients['history'])
    except (KeyError, TypeError, ValueError) as error:
        raise W2SError(
            f'The files of {path} lack what a run of this version writes: {error!r}. '
            f'Expected files of TimeToTargetHook and WeakToStrongHook: repeat the run.'
        ) from error
    return Run(**run)


def _number(value: float | None) -> float:
    """A validation that gave no value is written as null or NaN."""
    return math.nan if value is None else value


def _nothing_measured(path: Path) -> str:
    inside = sorted(child.parent.name for child in path.glob(f'*/{TIME_TO_TARGET}'))
    if inside:
        return (
            f'{path} is not a run, but contains {len(inside)} of them ({", ".join(inside[:4])}'
            f'{", ..." if len(inside) > 4 else ""}). Type: {path}/*'
        )
    names = sorted(child.name for child in path.iterdir())
    found = ', '.join(names[:5]) + (', ...' if len(names) > 5 else '') if names else 'nothing'
    return (
        f'{path} has no {TIME_TO_TARGET} (found: {found}). It is written at the first '
        f'validation of a config with TimeToTargetHook. Type: w2s train CONFIG --work-dir {path}'
    )
