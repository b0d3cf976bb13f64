"""Compare metric values, and find when a sequence of them reaches a target. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

Rule = Literal['greater', 'less']


def surpasses(value: float, reference: float, rule: Rule) -> bool:
    """``s(m, m_ref)`` of Algorithm 1: ``m >= m_ref``, or ``m <= m_ref`` for ``'less'``.

    False for NaN.
    """
    return value >= reference if rule == 'greater' else value <= reference


def first_at(values: Sequence[float], threshold: float, rule: Rule) -> int | None:
    """Index of the first value at or beyond ``threshold``, or None. NaN does not count.

    Args:
        values: Evaluations, oldest first.
        threshold: The target tau.
        rule: ``'greater'`` when a higher value is better, ``'less'`` otherwise.
    """
    return sustained_at(values, threshold, rule, k=1)


def sustained_at(values: Sequence[float], threshold: float, rule: Rule, k: int) -> int | None:
    """Index of the first of ``k`` values in a row at or beyond ``threshold``, or None.

    Args:
        values: Evaluations, oldest first.
        threshold: The target tau.
        rule: ``'greater'`` when a higher value is better, ``'less'`` otherwise.
        k: Length of the row, at least 1. A NaN interrupts it.
    """
    streak = 0
    for index, value in enumerate(values):
        streak = streak + 1 if surpasses(value, threshold, rule) else 0
        if streak == k:
            return index - k + 1
    return None


def worst(rule: Rule) -> float:
    """The worst value of a metric: 0, or infinity where less is better."""
    return 0.0 if rule == 'greater' else float('inf')


def pick_metric(metrics: dict[str, Any], name: str, rule: Rule, known: bool = False) -> float:
    """Value of the metric ``name`` in the evaluator's results.

    An evaluator reports nothing if there was nothing to evaluate, as MMDetection's does when a
    detector finds no boxes. This counts as the worst value, also where another evaluator reports.

    Args:
        metrics: What the validation reported.
        name: Name of the metric.
        rule: ``'greater'`` when a higher value is better, ``'less'`` otherwise.
        known: Whether the metric has been reported before, or is known to be one of the
            evaluator's. Otherwise it has to have the prefix of an evaluator that reports nothing.

    Raises:
        W2SError: It is not known, and others of its evaluator are reported; the message lists them.
    """
    if name in metrics:
        return float(metrics[name])
    prefix = name.rpartition('/')[0]
    of_its_evaluator = [each for each in metrics if not prefix or each.startswith(f'{prefix}/')]
    if of_its_evaluator and not known:
        raise W2SError(
            f'The evaluator does not report {name!r}. It reports: {", ".join(sorted(metrics))}. '
            f'Set `metric` of the hook to one of these.'
        )
    return worst(rule)


def is_fraction(metric: str) -> bool:
    """Whether a metric is between 0 and 1: MMDetection's AP is, MMPretrain's is in percent."""
    return 'mAP' in metric and not metric.startswith(('multi-label/', 'single-label/'))


def check_metric_range(metric: str, value: float, what: str) -> None:
    """Check a value's scale: MMDetection reports AP between 0 and 1.

    Raises:
        W2SError: ``value`` is not a possible value of ``metric``.
    """
    checks.number(what, value, above=0)
    if is_fraction(metric) and value > 1:
        raise W2SError(
            f'{what} is {value}, but {metric} is between 0 and 1. Write {value:g} % as '
            f'{value / 100:g}.'
        )
