"""How far a runner has come, in the units of schedules and reports."""

from __future__ import annotations

from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size

from w2s_mm.core.errors import W2SError
from w2s_mm.core.gate import Rule


def iters_per_epoch(runner: Any) -> float:
    """Iterations in which the training set is seen once."""
    loader = runner.train_dataloader
    ranks = get_world_size() if isinstance(loader.sampler, InfiniteSampler) else 1
    return len(loader) / ranks  # the infinite sampler counts the images of all ranks


def is_epoch_based(runner: Any) -> bool:
    """Whether the training loop counts epochs (as opposed to iterations)."""
    return hasattr(runner.train_loop, 'run_epoch')


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
