"""Metrics: which values are better, and when a sequence of them reaches a target; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from w2s_mm.utils.errors import W2SError

Rule = Literal['greater', 'less']


def surpasses(value: float, reference: float, rule: Rule) -> bool:
    """``s(m, m_ref)`` of Algorithm 1: ``m`` is at least the reference, or at most for ``'less'``.

    NaN never surpasses.
    """
    return value >= reference if rule == 'greater' else value <= reference


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


def pick_metric(metrics: dict[str, Any], name: str, rule: Rule) -> float:
    """The value of ``name`` among what the evaluator reported.

    An evaluator that reports nothing at all had nothing to evaluate, as MMDetection's when an
    untrained detector finds no box: that counts as the worst value, 0 or infinity.

    Raises:
        W2SError: Other metrics are there, this one is not; the message lists what is.
    """
    if not metrics:
        return 0.0 if rule == 'greater' else float('inf')
    if name not in metrics:
        raise W2SError(
            f'The evaluator does not report {name!r}. It reports: {", ".join(sorted(metrics))}. '
            f'Set `metric` of the hook to one of them.'
        )
    return float(metrics[name])


def check_metric_range(metric: str, value: float, what: str) -> None:
    """Refuse a value on the wrong scale: MMDetection reports AP between 0 and 1.

    Raises:
        W2SError: ``value`` cannot be a value of ``metric``.
    """
    if not 0 < value < float('inf'):
        raise W2SError(f'{what} is {value}; expected a finite {metric} above 0.')
    if 'mAP' in metric and value > 1:
        raise W2SError(
            f'{what} is {value}, but {metric} lies between 0 and 1. For {value:g} % say '
            f'{value / 100:g}.'
        )
