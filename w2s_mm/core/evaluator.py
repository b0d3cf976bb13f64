"""What an evaluator will report, as far as that is known before it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook

from w2s_mm.utils.errors import W2SError

# Their loops and hooks leave the names as the evaluator's metrics report them.
_PLAIN = ('mmengine', 'mmdet', 'mmpretrain', 'w2s_mm')
_ANYTHING = '*'
_COCO_AP = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
_COCO_AR = ('AR@100', 'AR@300', 'AR@1000', 'AR_s@1000', 'AR_m@1000', 'AR_l@1000')


def check_reported(runner: Any, name: str, owner: str) -> bool:
    """Check before training that the validation will report a metric.

    Nothing is refused that could be reported: where only a metric's prefix is known, or not even
    that, any name with the prefix, or any at all, is accepted.

    Args:
        runner: The runner, with its validation loop built.
        name: Name of the metric.
        owner: Whose setting it is, for the message.

    Returns:
        Whether it is known to be reported, whenever there is something to evaluate.

    Raises:
        W2SError: It will not be; the message lists what will.
    """
    loop = runner.val_loop
    if loop is None:
        return False
    hooks = (h for h in runner.hooks if type(h).after_val_epoch is not Hook.after_val_epoch)
    if not all(type(each).__module__.split('.')[0] in _PLAIN for each in (loop, *hooks)):
        return False
    metrics = getattr(getattr(loop, 'evaluator', None), 'metrics', None)
    if not metrics:
        return False
    found = [pattern for metric in metrics for pattern in _names(metric)]
    if name in found:
        return True
    prefixes = tuple(pattern[:-1] for pattern in found if pattern.endswith(_ANYTHING))
    if (prefixes and name.startswith(prefixes)) or 'loss' in name:  # validation losses are added
        return False
    raise W2SError(
        f'{owner}.metric is {name!r}, which val_evaluator does not report. It reports: '
        f'{", ".join(found)}. Set `metric` to one of these.'
    )


def _names(metric: Any) -> Iterator[str]:
    """Names of one metric; one that ends with ``*`` stands for all that begin like it."""
    if (names := getattr(metric, 'reported_names', None)) is not None:
        yield from names
        return
    prefix = getattr(metric, 'prefix', None)
    if getattr(type(metric), 'evaluate', None) is not BaseMetric.evaluate or not prefix:
        yield _ANYTHING
        return
    # Of exactly these classes: a subclass may report others.
    kind = (type(metric).__module__.split('.')[0], type(metric).__name__)
    if kind == ('mmpretrain', 'Accuracy'):
        names = _accuracy(metric)
    elif kind == ('mmdet', 'CocoMetric') and not metric.classwise:
        names = _coco(metric)
    else:
        names = (_ANYTHING,)
    yield from (f'{prefix}/{name}' for name in names)


def _accuracy(metric: Any) -> Iterator[str]:
    for k in metric.topk:
        for threshold in metric.thrs:
            name = f'top{k}'
            if len(metric.thrs) > 1:
                name += '_no-thr' if threshold is None else f'_thr-{threshold:.2f}'
            yield name


def _coco(metric: Any) -> Iterator[str]:
    for kind in metric.metrics:
        if kind == 'proposal_fast':
            yield from (f'AR@{number}' for number in metric.proposal_nums)
        elif kind == 'proposal':
            yield from metric.metric_items or _COCO_AR
        else:
            yield from (f'{kind}_{item}' for item in metric.metric_items or _COCO_AP)
