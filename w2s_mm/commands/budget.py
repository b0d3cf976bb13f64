"""A run to a part of its length, with its learning-rate schedule compressed to it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import type_name

_TIMES = ('begin', 'end')
_LENGTHS = ('T_max', 'step_size', 'total_steps')  # counted from `begin`
_LISTS = ('milestones', 'periods')
_FOREVER = 10**8  # MMEngine's default end is 10**9
# Schedulers whose times are known; those of MMEngine and MMDetection, for any parameter.
_KNOWN = (
    'Constant',
    'CosineAnnealing',
    'CosineRestart',
    'Exponential',
    'Linear',
    'MultiStep',
    'OneCycle',
    'Poly',
    'QuadraticWarmup',
    'ReduceOnPlateau',
    'Step',
)


def shorten(cfg: Any, budget: float) -> None:
    """Shorten the run of a config to ``budget`` times its length.

    The schedulers are compressed to the new end: what lies at a part of the run is at the same part
    afterwards. A warmup of the learning rate keeps its length, and the rest is compressed behind
    it. Validation keeps its interval, and a distillation schedule in iterations or epochs stays as
    it is. The budget is kept as ``budget`` in the config.

    Args:
        cfg: Changed in place.
        budget: Part of the length, above 0 and at most 1.

    Raises:
        W2SError: The budget is out of range, or a scheduler cannot be compressed.
    """
    if not 0 < budget <= 1:
        raise W2SError(f'The budget is {budget:g}; expected a part of the run, such as 0.5.')
    if budget == 1:
        return
    key = 'max_epochs' if cfg.train_cfg.get('max_epochs') else 'max_iters'
    old = cfg.train_cfg[key]
    new = round(old * budget)
    epochs = key == 'max_epochs'
    schedulers = list(_schedulers(cfg.get('param_scheduler')))
    for by_epoch in (True, False):
        alike = [each for each in schedulers if each.get('by_epoch', True) == by_epoch]
        warmups = [each for each in alike if _is_warmup(each)]
        compressed = [each for each in alike if each not in warmups]
        if compressed and by_epoch != epochs:
            raise W2SError(
                f'{type_name(compressed[0]["type"])} counts '
                f'{"epochs" if by_epoch else "iterations"}, and the run '
                f'{"epochs" if epochs else "iterations"}: its length in the other unit is not '
                f'known, so it cannot be compressed. Set by_epoch={epochs} of the scheduler.'
            )
        for each in compressed:
            if not str(type_name(each['type'])).startswith(_KNOWN):
                raise W2SError(
                    f'param_scheduler has a {type_name(each["type"])}, whose times are not known, '
                    f'so it cannot be compressed. Known: {", ".join(_KNOWN)}.'
                )
        start = max((each['end'] for each in warmups), default=0)
        if by_epoch == epochs and new <= start:
            raise W2SError(
                f'A budget of {budget:g} is {new} of {old} {key.removeprefix("max_")}, and the '
                f'warmup alone takes {start}. Choose a greater budget.'
            )
        for each in compressed:
            _compress(each, start, old, new)
    cfg.train_cfg[key] = new
    cfg.budget = budget


def _schedulers(config: Any) -> Iterator[Any]:
    """All schedulers of a config: one, a list, or lists by optimizer."""
    if isinstance(config, (list, tuple)):
        for each in config:
            yield from _schedulers(each)
    elif isinstance(config, dict) and 'type' not in config:
        for each in config.values():
            yield from _schedulers(each)
    elif config:
        yield config


def _is_warmup(scheduler: dict[str, Any]) -> bool:
    """Whether a scheduler raises the learning rate at the beginning."""
    if scheduler.get('begin', 0) != 0 or scheduler.get('end', _FOREVER) >= _FOREVER:
        return False
    kind = str(type_name(scheduler['type']))
    if 'Warmup' in kind:
        return True
    first = scheduler.get('start_factor', scheduler.get('factor', 1 / 3))
    return kind.startswith(('Linear', 'Constant')) and first < scheduler.get('end_factor', 1.0)


def _compress(scheduler: dict[str, Any], start: int, old: int, new: int) -> None:
    scale = (new - start) / (old - start)

    def moved(time: float) -> int:
        if time <= start or time >= _FOREVER:
            return int(time)
        return math.floor(start + (time - start) * scale + 1e-9)

    begin = scheduler.get('begin', 0)
    for name in _LENGTHS:
        if scheduler.get(name) is not None:
            scheduler[name] = max(1, moved(begin + scheduler[name]) - moved(begin))
    for name in _LISTS:
        if scheduler.get(name) is not None:
            # Milestones count from `begin`, periods from one another.
            scheduler[name] = _lengths(scheduler[name], begin, moved, name == 'periods')
    for name in _TIMES:
        if name in scheduler:
            scheduler[name] = moved(scheduler[name])
    if str(type_name(scheduler['type'])).startswith('Exponential'):
        scheduler['gamma'] = scheduler['gamma'] ** (1 / scale)


def _lengths(values: Any, begin: int, moved: Any, successive: bool) -> list[int]:
    found, at = [], begin
    for value in values:
        origin = at if successive else begin
        found.append(max(1, moved(origin + value) - moved(origin)))
        at = origin + value
    return found
