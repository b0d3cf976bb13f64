"""A run as its work directory tells it."""

from __future__ import annotations

import dataclasses
import json
import math
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from w2s_mm.core.metric import Rule
from w2s_mm.core.schedule import WarmupHoldDecay
from w2s_mm.utils.errors import W2SError

Clock = Literal['iter', 'epoch', 'train_seconds', 'wall_seconds']

TIME_TO_TARGET = 'time_to_target.json'
WEAK_TO_STRONG = 'weak_to_strong.json'
RECORD = 'run.json'
GRADIENT_NORMS = 'gradient_norms.json'
FORMAT = 1


@dataclass(frozen=True)
class Run:
    """One training, finished or not.

    Attributes:
        path: Its work directory.
        metric: Name of the metric as the evaluator reports it.
        rule: Whether a greater or a lesser value is better.
        seed: Seed of the run; runs are paired by it.
        hits_in_a_row: ``k`` of a sustained crossing.
        max_iters: Length of the training.
        finished: False while it runs, or when it was broken off.
        history: One ``{'iter', 'epoch', 'train_seconds', 'wall_seconds', 'value'}`` a validation.
        thresholds: The targets the run was given.
        reference: The teacher's metric, or None for a run without a teacher.
        closed_at: Iteration at which the gate closed, or None.
        schedule: Distillation weight over progress, or None if unknown.
        record: What ``RunRecordHook`` wrote of its start, software and hardware, or None.
        gradients: What ``GradientNormHook`` measured, one entry a measurement.
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
    schedule: WarmupHoldDecay | None = None
    record: dict[str, Any] | None = None
    gradients: tuple[dict[str, float], ...] = ()

    @property
    def name(self) -> str:
        """Last part of the work directory's path."""
        return self.path.resolve().name

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
        if len(points) > 1:
            # The line goes on beyond the last validation.
            after = min(max(bisect_left(points, (iteration,)), 1), len(points) - 1)
            (x0, y0), (x1, y1) = points[after - 1], points[after]
            return y0 + (y1 - y0) * (iteration - x0) / (x1 - x0) if x1 > x0 else y1
        return iteration

    def weight_at(self, iteration: float) -> float:
        """Distillation weight that the schedule asks for at ``iteration``; the gate aside."""
        if self.schedule is None:
            return 0.0
        progress = {
            'iter': iteration,
            'epoch': self.time_of(iteration, 'epoch'),
            'training': iteration / max(self.max_iters, 1),
        }
        return self.schedule(progress[self.schedule.unit])


def load_run(path: str | Path) -> Run:
    """Read the work directory of a run; it may still be going on.

    Raises:
        W2SError: The directory is not there, is no work directory of a run that measured its time
            to target, or its files cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        raise W2SError(
            f'{path} is no directory; expected the work directory of a run, '
            'the --work-dir of tools/train.py.'
        )
    if not (path / TIME_TO_TARGET).is_file():
        raise W2SError(_nothing_measured(path))

    measured = read_json(path / TIME_TO_TARGET)
    try:
        run: dict[str, Any] = {
            'path': path,
            'metric': measured['metric'],
            'rule': measured['rule'],
            'seed': measured['seed'],
            'hits_in_a_row': measured['hits_in_a_row'],
            'max_iters': measured['max_iters'],
            'finished': measured['finished'],
            'history': [
                # A validation that gave nothing is written as null or NaN.
                {
                    'iter': p['iter'],
                    'epoch': p['epoch'],
                    'train_seconds': p['train_seconds'],
                    'wall_seconds': p['wall_seconds'],
                    'value': math.nan if p['value'] is None else p['value'],
                }
                for p in measured['history']
            ],
            'thresholds': [target['threshold'] for target in measured['targets']],
        }
        if (path / WEAK_TO_STRONG).is_file():
            distilled = read_json(path / WEAK_TO_STRONG)
            closed = distilled['closed_at']
            run['reference'] = distilled['reference']
            run['closed_at'] = closed['iter'] if closed else None
            run['schedule'] = _schedule(distilled.get('schedule'))
        if (path / RECORD).is_file():
            run['record'] = read_json(path / RECORD)
        if (path / GRADIENT_NORMS).is_file():
            run['gradients'] = tuple(read_json(path / GRADIENT_NORMS)['history'])
    except (KeyError, TypeError) as error:
        raise W2SError(
            f'The files of {path} lack what a run of this version writes: {error!r}. '
            'Expected files of TimeToTargetHook and WeakToStrongHook: run the training again.'
        ) from error
    return Run(**run)


def _nothing_measured(path: Path) -> str:
    inside = sorted(child.parent.name for child in path.glob(f'*/{TIME_TO_TARGET}'))
    if inside:
        return (
            f'{path} is no run but holds {len(inside)} of them ({", ".join(inside[:4])}'
            f'{", ..." if len(inside) > 4 else ""}). Type: {path}/*'
        )
    names = sorted(child.name for child in path.iterdir())
    found = ', '.join(names[:5]) + (', ...' if len(names) > 5 else '') if names else 'nothing'
    return (
        f'{path} holds no {TIME_TO_TARGET} (found: {found}). It is written at the first '
        'validation of a config with TimeToTargetHook. '
        f'Type: python tools/train.py CONFIG --work-dir {path}'
    )


def read_json(path: Path) -> dict[str, Any]:
    """A file of a run.

    Raises:
        W2SError: It cannot be read, or another version wrote it.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise W2SError(f'{path} cannot be read as JSON ({error}).') from error
    found = content.get('format') if isinstance(content, dict) else None
    if found != FORMAT:
        raise W2SError(
            f'{path} has format {found}; this version reads {FORMAT}. '
            'Use the version of w2s_mm that wrote it, or run the training again.'
        )
    return content


def _schedule(written: dict[str, Any] | None) -> WarmupHoldDecay | None:
    fields = {field.name for field in dataclasses.fields(WarmupHoldDecay)}
    if not written or not fields <= written.keys():
        return None  # a file of another version: everything but the schedule's picture works
    return WarmupHoldDecay(**{key: written[key] for key in fields})
