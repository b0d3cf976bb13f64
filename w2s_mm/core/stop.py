"""Stop rules: decide after each validation whether to end distillation. No torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, get_args

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

from .metric import Rule, surpasses


class StopRule(ABC):
    """Decides when distillation ends. Register your own in ``TASK_UTILS``."""

    @abstractmethod
    def open(self, reference: float) -> None:
        """Start, given the teacher's metric ``m_ref`` on the student's validation set."""

    @abstractmethod
    def observe(self, value: float, iteration: int) -> bool:
        """Record the student's metric after ``iteration`` iterations.

        Repeated calls for the same iteration have no effect.

        Returns:
            Whether distillation is off from now on.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Recorded state as plain data, without the configured arguments."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load the recorded state."""

    def scalars(self) -> dict[str, float]:
        """Values to log after a validation, by name. Default: none."""
        return {}

    def describe(self) -> str:
        """Condition that ends distillation, phrased to follow "until ..."."""
        return f'{type(self).__name__} stops it'


class SurpassGate(StopRule):
    """Closes once ``k`` validations in a row surpass the teacher (Algorithm 1, steps 4-5).

    A closed gate does not open again.

    Args:
        k: Number of validations in a row; the paper uses 2.
        rule: ``'greater'`` when a higher metric is better (Top-1, AP50), ``'less'`` for FID.

    Attributes:
        reference: The teacher's metric, None until :meth:`open`.
        history: One ``{'iter', 'value', 'streak'}`` per validation, oldest first.
        closed_at: Iteration of the validation that closed the gate; None while it is open.

    Raises:
        W2SError: ``rule`` is unknown, or ``k`` is below 1.
    """

    def __init__(self, k: int = 2, rule: Rule = 'greater') -> None:
        checks.choice('rule', rule, get_args(Rule))
        checks.whole_number('stop.k', k)
        self.k = k
        self.rule: Rule = rule
        self.reference: float | None = None
        self.history: list[dict[str, Any]] = []
        self.closed_at: int | None = None

    def open(self, reference: float) -> None:
        """Start, given the teacher's metric.

        Raises:
            W2SError: It is not finite.
        """
        if not math.isfinite(reference):
            raise W2SError(f'The reference metric is {reference}; expected a finite number.')
        self.reference = float(reference)

    @property
    def streak(self) -> int:
        """Number of surpassing validations in a row, up to the last one."""
        return self.history[-1]['streak'] if self.history else 0

    @property
    def closed(self) -> bool:
        """Whether the gate has closed."""
        return self.closed_at is not None

    def observe(self, value: float, iteration: int) -> bool:
        """Record the student's metric, and close the gate if it is due.

        Raises:
            W2SError: :meth:`open` was not called.
        """
        if self.reference is None:
            raise W2SError('SurpassGate has no reference yet: call open(reference) first.')
        if any(entry['iter'] == iteration for entry in self.history):
            return self.closed
        hit = surpasses(value, self.reference, self.rule)
        streak = self.streak + 1 if hit else 0
        self.history.append({'iter': iteration, 'value': float(value), 'streak': streak})
        if not self.closed and streak >= self.k:
            self.closed_at = iteration
        return self.closed

    def state_dict(self) -> dict[str, Any]:
        """Recorded state, without ``rule`` and ``k``."""
        return {
            'reference': self.reference,
            'history': [dict(entry) for entry in self.history],
            'closed_at': self.closed_at,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load the recorded state."""
        self.reference = state['reference']
        self.history = [dict(entry) for entry in state['history']]
        self.closed_at = state['closed_at']

    def scalars(self) -> dict[str, float]:
        """The streak."""
        return {'streak': self.streak}

    def describe(self) -> str:
        """Condition that closes the gate."""
        times = 'once' if self.k == 1 else f'in {self.k} validations in a row'
        return f'the student surpasses the teacher {times}'


class NeverStop(StopRule):
    """Never stops; only the schedule ends distillation (ablation "no stop-after-surpass")."""

    def open(self, reference: float) -> None:
        """Do nothing; the reference is not needed."""

    def observe(self, value: float, iteration: int) -> bool:
        """Return False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Empty; there is no state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing; there is no state."""

    def describe(self) -> str:
        """End of the schedule."""
        return 'the schedule ends (no stop rule)'
