"""When a sequence of evaluations reaches a target; no torch."""

from __future__ import annotations

from collections.abc import Sequence

from .gate import Rule, surpasses


def first_at(values: Sequence[float], threshold: float, rule: Rule) -> int | None:
    """Index of the first value at or beyond ``threshold``, or None; NaN never counts.

    Args:
        values: Evaluations, oldest first.
        threshold: The target tau.
        rule: ``'greater'`` when a higher value is better, ``'less'`` otherwise.
    """
    return sustained_at(values, threshold, rule, k=1)


def sustained_at(values: Sequence[float], threshold: float, rule: Rule, k: int) -> int | None:
    """Index at which the first ``k`` values in a row at or beyond ``threshold`` begin, or None.

    Args:
        values: Evaluations, oldest first.
        threshold: The target tau.
        rule: ``'greater'`` when a higher value is better, ``'less'`` otherwise.
        k: Hits in a row, at least 1; a NaN breaks the row.
    """
    streak = 0
    for index, value in enumerate(values):
        streak = streak + 1 if surpasses(value, threshold, rule) else 0
        if streak == k:
            return index - k + 1
    return None
