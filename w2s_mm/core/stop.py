"""Stop rules: when distillation is switched off for good; small state machines, no torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, get_args

from w2s_mm.utils.errors import W2SError

from .metric import Rule, surpasses


class StopRule(ABC):
    """Says when distillation ends; register one of your own in ``TASK_UTILS``."""

    @abstractmethod
    def open(self, reference: float) -> None:
        """Begin, with the teacher's metric ``m_ref`` on the student's validation set."""

    @abstractmethod
    def observe(self, value: float, iteration: int) -> bool:
        """Take in the student's metric after ``iteration`` iterations.

        An iteration that was observed before changes nothing.

        Returns:
            Whether distillation is to be off from now on.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What was observed, as plain data; the configured arguments are not part of it."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what was observed."""

    def scalars(self) -> dict[str, float]:
        """What to log after a validation, by name; here nothing."""
        return {}

    def describe(self) -> str:
        """When it ends distillation, as the end of "until ..."."""
        return f'{type(self).__name__} ends it'


class SurpassGate(StopRule):
    """Closes for good once ``k`` validations in a row surpass the teacher (Algorithm 1, steps 4-5).

    Args:
        k: Validations in a row; the paper uses 2.
        rule: ``'greater'`` when a higher metric is better (Top-1, AP50), ``'less'`` for FID.

    Attributes:
        reference: The teacher's metric, None until :meth:`open`.
        history: One ``{'iter', 'value', 'streak'}`` a validation, oldest first.
        closed_at: Iteration whose validation closed the gate, or None while it is open.

    Raises:
        W2SError: ``rule`` is unknown, or ``k`` below 1.
    """

    def __init__(self, k: int = 2, rule: Rule = 'greater') -> None:
        if rule not in get_args(Rule):
            raise W2SError(f'rule is {rule!r}; expected one of {get_args(Rule)}.')
        if not isinstance(k, int) or k < 1:
            raise W2SError(f'stop.k is {k!r}; expected an integer of at least 1.')
        self.k = k
        self.rule: Rule = rule
        self.reference: float | None = None
        self.history: list[dict[str, Any]] = []
        self.closed_at: int | None = None

    def open(self, reference: float) -> None:
        """Begin, with the teacher's metric.

        Raises:
            W2SError: It is not finite.
        """
        if not math.isfinite(reference):
            raise W2SError(f'The reference metric is {reference}; expected a finite number.')
        self.reference = float(reference)

    @property
    def streak(self) -> int:
        """Surpassing validations in a row up to the last one."""
        return self.history[-1]['streak'] if self.history else 0

    @property
    def closed(self) -> bool:
        """Whether distillation is off for good."""
        return self.closed_at is not None

    def observe(self, value: float, iteration: int) -> bool:
        """Take in the student's metric; what comes after the closing is recorded alone.

        Raises:
            W2SError: The gate was never opened.
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
        """What was observed; the configured rule and ``k`` are not part of it."""
        return {
            'reference': self.reference,
            'history': [dict(entry) for entry in self.history],
            'closed_at': self.closed_at,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what was observed."""
        self.reference = state['reference']
        self.history = [dict(entry) for entry in state['history']]
        self.closed_at = state['closed_at']

    def scalars(self) -> dict[str, float]:
        """The streak."""
        return {'streak': self.streak}

    def describe(self) -> str:
        """When it closes."""
        times = 'once' if self.k == 1 else f'in {self.k} validations in a row'
        return f'the student surpasses the teacher {times}'


class NeverStop(StopRule):
    """Leaves the end to the schedule (ablation "no stop-after-surpass" of the paper)."""

    def open(self, reference: float) -> None:
        """Needs no reference."""

    def observe(self, value: float, iteration: int) -> bool:
        """Never ends distillation."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """There is nothing to keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is nothing to restore."""

    def describe(self) -> str:
        """It never does."""
        return 'the schedule ends (no stop rule)'
