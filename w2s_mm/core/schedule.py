"""Weight and temperature as functions of training progress ``u``. No torch, no state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

Unit = Literal['epoch', 'iter', 'training']
Shape = Literal['linear', 'cosine']


class Schedule(Protocol):
    """Distillation weight over training progress. Register your own in ``TASK_UTILS``.

    Attributes:
        unit: Unit of progress: epochs (fractional), iterations, or fractions of the run.
        length: Progress from which the weight stays 0, in ``unit``; infinite if it never does, 0 if
            the weight is always 0.
    """

    unit: Unit

    @property
    def length(self) -> float:
        """See the class."""

    def __call__(self, u: float) -> float:
        """Weight ``lambda(u)`` at progress ``u``, at least 0."""


def _eased(x: float, shape: Shape) -> float:
    """Monotone map of [0, 1] onto itself: a straight line or half a cosine."""
    return x if shape == 'linear' else (1 - math.cos(math.pi * x)) / 2


@dataclass(frozen=True)
class WarmupHoldDecay:
    """Distillation weight ``lambda(u)``: rises from 0 to lambda_max, holds, falls to 0.

    Equation (1) of arXiv 2604.15451 with the schedule of its section 3. The paper does not give
    the lengths, so they are parameters here.

    Args:
        lambda_max: Weight on the plateau, at least 0. With 0 the run is the baseline.
        warmup: Length of the linear rise; 0 starts at ``lambda_max`` (ablation "no warm-start").
        hold: Length of the plateau.
        decay: Length of the fall; 0 is an immediate drop.
        unit: Unit of ``u`` and the lengths: ``'epoch'`` (fractional, so lambda changes every
            iteration), ``'iter'``, or ``'training'`` (fractions of the whole run).
        shape: Shape of the fall, ``'linear'`` or ``'cosine'``.

    Raises:
        W2SError: A length or weight is negative or not finite, all lengths are 0, or ``unit`` or
            ``shape`` is unknown.
    """

    lambda_max: float
    warmup: float
    hold: float
    decay: float
    unit: Unit = 'epoch'
    shape: Shape = 'linear'

    def __post_init__(self) -> None:
        for name in ('lambda_max', 'warmup', 'hold', 'decay'):
            checks.number(f'schedule.{name}', getattr(self, name), least=0)
        if self.warmup + self.hold + self.decay == 0:
            raise W2SError(
                'schedule: warmup, hold and decay are all 0; expected at least one above 0. To '
                'switch distillation off, use --cfg-options model.gamma=0.'
            )
        checks.choice('schedule.unit', self.unit, get_args(Unit))
        checks.choice('schedule.shape', self.shape, get_args(Shape))

    @property
    def length(self) -> float:
        """Progress from which the weight stays 0, in ``unit``."""
        return self.warmup + self.hold + self.decay if self.lambda_max else 0.0

    def __call__(self, u: float) -> float:
        """Weight at progress ``u`` (in ``unit``); 0 outside [0, length)."""
        if u < 0 or u >= self.length:
            return 0.0
        if u < self.warmup:
            return self.lambda_max * u / self.warmup
        into_decay = u - self.warmup - self.hold
        if into_decay <= 0:
            return self.lambda_max
        return self.lambda_max * (1 - _eased(min(into_decay / self.decay, 1.0), self.shape))


@dataclass(frozen=True)
class TemperatureRamp:
    """Temperature ``T(u)``: from ``start`` to ``end`` over ``length``, then ``end``.

    The paper uses 6 -> 1 for classification and a constant 2 for detection (section 4.1).

    Args:
        start: Temperature at the beginning, above 0.
        end: Temperature from the end of the ramp on. Default: ``start`` throughout.
        length: Length of the ramp, above 0; required with ``end``.
        unit: Unit of ``u`` and ``length``, see :class:`WarmupHoldDecay`.
        shape: ``'linear'`` or ``'cosine'``.

    Raises:
        W2SError: A temperature or the length is not positive and finite, only one of ``end`` and
            ``length`` is given, or ``unit`` or ``shape`` is unknown.
    """

    start: float
    end: float | None = None
    length: float | None = None
    unit: Unit = 'epoch'
    shape: Shape = 'linear'

    def __post_init__(self) -> None:
        for name in ('start', 'end', 'length'):
            value = getattr(self, name)
            if name == 'start' or value is not None:
                checks.number(f'temperature.{name}', value, above=0)
        if (self.end is None) != (self.length is None):
            raise W2SError(
                f'temperature has end={self.end} and length={self.length}; expected both or '
                f'neither. For a ramp give its length, e.g. dict(start=6, end=1, length=0.35, '
                f"unit='training'); for a constant use temperature=2.0."
            )
        checks.choice('temperature.unit', self.unit, get_args(Unit))
        checks.choice('temperature.shape', self.shape, get_args(Shape))

    def __call__(self, u: float) -> float:
        """Temperature at progress ``u`` (in ``unit``)."""
        if self.end is None or self.length is None:
            return self.start
        x = min(max(u / self.length, 0.0), 1.0)
        return self.start + (self.end - self.start) * _eased(x, self.shape)
