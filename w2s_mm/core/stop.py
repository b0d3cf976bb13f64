"""The stop rule of Algorithm 1 as a small state machine; no torch."""

from __future__ import annotations

import math
from typing import Any, get_args

from w2s_mm.utils.errors import W2SError

from .metric import Rule, surpasses


class SurpassGate:
    """Closes for good once ``k`` validations in a row surpass the teacher (Algorithm 1, steps 4-5).

    Args:
        reference: The teacher's metric ``m_ref`` on the student's validation set.
        rule: ``'greater'`` when a higher metric is better (Top-1, AP50), ``'less'`` for FID.
        k: Validations in a row; the paper uses 2.

    Attributes:
        history: One ``{'iter', 'value', 'streak'}`` a validation, oldest first.
        closed_at: Iteration whose validation closed the gate, or None while it is open.

    Raises:
        W2SError: ``reference`` is not finite, ``rule`` unknown, or ``k`` below 1.
    """

    def __init__(self, reference: float, rule: Rule = 'greater', k: int = 2) -> None:
        if not math.isfinite(reference):
            raise W2SError(f'The reference metric is {reference}; expected a finite number.')
        if rule not in get_args(Rule):
            raise W2SError(f'rule is {rule!r}; expected one of {get_args(Rule)}.')
        if not isinstance(k, int) or k < 1:
            raise W2SError(f'k is {k!r}; expected an integer of at least 1.')
        self.reference = float(reference)
        self.rule: Rule = rule
        self.k = k
        self.history: list[dict[str, Any]] = []
        self.closed_at: int | None = None

    @property
    def streak(self) -> int:
        """Surpassing validations in a row up to the last one."""
        return self.history[-1]['streak'] if self.history else 0

    @property
    def closed(self) -> bool:
        """Whether distillation is off for good."""
        return self.closed_at is not None

    def observe(self, value: float, iteration: int) -> bool:
        """Take in the student's metric after ``iteration`` iterations.

        Returns:
            Whether this observation closed the gate. What comes after is recorded, and changes
            nothing.
        """
        hit = surpasses(value, self.reference, self.rule)
        streak = self.streak + 1 if hit else 0
        self.history.append({'iter': iteration, 'value': float(value), 'streak': streak})
        if self.closed or streak < self.k:
            return False
        self.closed_at = iteration
        return True

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
