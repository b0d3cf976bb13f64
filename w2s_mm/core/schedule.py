"""Weight and temperature as pure functions of training progress ``u``; no torch, no state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from w2s_mm.utils.errors import W2SError

Unit = Literal['epoch', 'iter', 'training']
Shape = Literal['linear', 'cosine']


def _eased(x: float, shape: Shape) -> float:
    """Monotone map of [0, 1] onto itself: a straight line or half a cosine."""
    return x if shape == 'linear' else (1 - math.cos(math.pi * x)) / 2


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise W2SError(message)


@dataclass(frozen=True)
class WarmupHoldDecay:
    """Distillation weight ``lambda(u)``: 0 -> lambda_max, held, -> 0, and 0 from there on.

    Equation (1) of arXiv 2604.15451 with the schedule of its section 3. The paper does not give
    the lengths; they are options here.

    Args:
        lambda_max: Weight while held, at least 0. At 0 the training is the baseline.
        warmup: Length of the linear rise; 0 starts at ``lambda_max`` (ablation "no warm-start").
        hold: Length of the plateau.
        decay: Length of the fall; 0 drops at once.
        unit: What ``u`` and the lengths are counted in: ``'epoch'`` (fractional, so lambda moves
            every iteration), ``'iter'``, or ``'training'`` (fractions of the whole run).
        shape: Form of the fall, ``'linear'`` or ``'cosine'``.

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
            value = getattr(self, name)
            _require(
                isinstance(value, (int, float)) and math.isfinite(value) and value >= 0,
                f'schedule.{name} is {value!r}; expected a finite number of at least 0.',
            )
        _require(
            self.length > 0,
            'schedule: warmup, hold and decay are all 0. Give at least one a length, or switch '
            'distillation off with --cfg-options model.gamma=0.',
        )
        for name, allowed in (('unit', get_args(Unit)), ('shape', get_args(Shape))):
            value = getattr(self, name)
            _require(value in allowed, f'schedule.{name} is {value!r}; expected one of {allowed}.')

    @property
    def length(self) -> float:
        """Progress from which the weight is 0 for good, in ``unit``."""
        return self.warmup + self.hold + self.decay

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
    """Temperature ``T`` over the distillation window, from ``start`` to ``end``.

    The paper uses 6 -> 1 for classification and a constant 2 for detection (section 4.1).

    Args:
        start: Temperature at the start of the window, above 0.
        end: Temperature at its end and after; defaults to ``start`` (a constant).
        shape: ``'linear'`` or ``'cosine'``.

    Raises:
        W2SError: A temperature is not positive and finite, or ``shape`` is unknown.
    """

    start: float
    end: float | None = None
    shape: Shape = 'linear'

    def __post_init__(self) -> None:
        for name in ('start', 'end'):
            value = getattr(self, name)
            _require(
                (name == 'end' and value is None)
                or (isinstance(value, (int, float)) and math.isfinite(value) and value > 0),
                f'temperature.{name} is {value!r}; expected a finite number above 0.',
            )
        _require(
            self.shape in get_args(Shape),
            f'temperature.shape is {self.shape!r}; expected one of {get_args(Shape)}.',
        )

    def __call__(self, fraction: float) -> float:
        """Temperature at ``fraction`` (0 to 1) of the distillation window."""
        if self.end is None:
            return self.start
        x = min(max(fraction, 0.0), 1.0)
        return self.start + (self.end - self.start) * _eased(x, self.shape)
