"""Refuses configs in the spelling of earlier versions, and gives the present one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from w2s_mm.utils.errors import W2SError

# What `_base_/w2s_*.py` offered by names of their own.
_OFFERED = {
    'distill_head': '_base_.w2s.distill_head',
    'roi_distill_head': '_base_.w2s.roi_distill_head',
    'w2s_hooks': '_base_.w2s.hooks',
    'measure_hooks': '_base_.w2s.measure_hooks',
}
_BOXES = {
    'l1': "box_form='encoded', loss_bbox=dict(type='mmdet.L1Loss', ...)",
    'giou': "box_form='corners', loss_bbox=dict(type='mmdet.GIoULoss', ...)",
}


def refuse_old_settings(cfg: Any, name: str) -> None:
    """Check that a config has no setting that was renamed.

    Args:
        cfg: The config of a run, with the settings of the command line.
        name: Its name, for the message.

    Raises:
        W2SError: It has; the message gives each old setting and its new spelling.
    """
    from .preflight import hook_config

    heads = (cfg.get('model') or {}).get('distill_head')
    found = [*_of_heads(heads), *_of_hook(hook_config(cfg, 'WeakToStrongHook') or {})]
    if found:
        raise _refused(name, found)


def explain_missing_base(error: AttributeError, name: str) -> None:
    """Raise our error where a config asks a ``_base_/w2s_*.py`` for what has another name now.

    Args:
        error: What MMEngine raised.
        name: The config, for the message.

    Raises:
        W2SError: The missing name is one of those.
    """
    for old, new in _OFFERED.items():
        if f"'{old}'" in str(error):
            raise _refused(name, [(f'_base_.{old}', new)]) from error


def _refused(name: str, found: list[tuple[str, str]]) -> W2SError:
    lines = '\n'.join(f'  {old} is now: {new}' for old, new in found)
    return W2SError(f'{name} has settings of an earlier version of w2s_mm:\n{lines}')


def _of_heads(heads: Any) -> Iterator[tuple[str, str]]:
    from w2s_mm.utils.mm import type_name

    several = isinstance(heads, (list, tuple))
    for index, head in enumerate(heads if several else [heads or {}]):
        where = f'model.distill_head.{index}' if several else 'model.distill_head'
        losses = {key: head.get(key) for key in ('loss_cls', 'loss_bbox', 'loss_rpn')}
        for key, loss in losses.items():
            loss = loss or {}
            kind = type_name(loss.get('type'))
            if 'score_thr' in loss:
                yield f'{where}.{key}.score_thr', f'{where}.score_thr={loss["score_thr"]}'
            if kind == 'BoxDistillLoss':
                form = 'giou' if loss.get('mode') == 'giou' else 'l1'
                yield f'{where}.{key} of type BoxDistillLoss', _BOXES[form]
            if kind == 'SoftmaxKLDistillLoss':
                yield f'{where}.{key} of type SoftmaxKLDistillLoss', 'KLDistillLoss'
        if type_name(head.get('type')) == 'LogitDistillHead' and 'reverse' in head:
            loss = f"loss=dict(type='KLDistillLoss', reverse={head['reverse']})"
            yield f'{where}.reverse', loss


def _of_hook(hook: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if 'k' in hook:
        yield 'k of WeakToStrongHook', f"stop=dict(type='SurpassGate', k={hook['k']})"
    temperature = hook.get('temperature')
    if isinstance(temperature, dict) and 'end' in temperature and 'length' not in temperature:
        schedule = hook.get('schedule') or {}
        lengths = [schedule.get(part, 0) for part in ('warmup', 'hold', 'decay')]
        ramp = {
            **temperature,
            'length': round(sum(lengths), 9),
            'unit': schedule.get('unit', 'epoch'),
        }
        given = ', '.join(f'{key}={value!r}' for key, value in ramp.items())
        yield 'temperature of WeakToStrongHook without a length', f'temperature=dict({given})'
