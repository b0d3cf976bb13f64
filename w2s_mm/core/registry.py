"""Schedules, temperatures and stop rules by name, from a config."""

from __future__ import annotations

import inspect
from typing import Any

from mmengine.registry import TASK_UTILS

from w2s_mm.utils.errors import W2SError

from .metric import Rule
from .schedule import Schedule, TemperatureRamp, WarmupHoldDecay
from .stop import NeverStop, StopRule, SurpassGate

for _cls in (WarmupHoldDecay, TemperatureRamp, SurpassGate, NeverStop):
    TASK_UTILS.register_module(module=_cls)


def build_schedule(config: dict[str, Any]) -> Schedule:
    """Build a schedule; ``type`` is ``'WarmupHoldDecay'`` where it is left out.

    Raises:
        W2SError: The type is unknown, or an argument is unknown or out of its range.
    """
    return _build(config, 'schedule', 'WarmupHoldDecay')


def build_temperature(config: float | dict[str, Any]) -> TemperatureRamp:
    """Build a temperature from a number, which is a constant, or a config.

    Raises:
        W2SError: The type is unknown, or an argument is unknown or out of its range.
    """
    if not isinstance(config, dict):
        return TemperatureRamp(config)
    return _build(config, 'temperature', 'TemperatureRamp')


def build_stop(config: dict[str, Any], rule: Rule) -> StopRule:
    """Build a stop rule; ``type`` is ``'SurpassGate'`` where it is left out.

    Args:
        config: Its config. A type with a parameter ``rule`` is given that of the metric.
        rule: Whether a greater or a lesser metric is better.

    Raises:
        W2SError: The type is unknown, or an argument is unknown or out of its range.
    """
    return _build(config, 'stop', 'SurpassGate', rule=rule)


def _build(config: Any, what: str, default: str, **extra: Any) -> Any:
    """Build what is registered in MMEngine's ``TASK_UTILS``, or is given as a class.

    Args:
        config: A dict with ``type``.
        what: Name of the setting, for the message.
        default: ``type`` where it is left out.
        **extra: Arguments that the type is given if it takes them and ``config`` has none.
    """
    if not isinstance(config, dict):
        raise W2SError(
            f'{what} is {config!r}; expected a dict such as {what}=dict(type={default!r}, ...).'
        )
    arguments = {key: value for key, value in config.items() if key not in ('type', '_scope_')}
    kind = config.get('type', default)
    cls = TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    if cls is None:
        raise W2SError(
            f'{what}.type is {kind!r}, and nothing of that name is registered in TASK_UTILS. '
            f'Check the spelling, or import the module that registers it: '
            f'custom_imports=dict(imports=[...]).'
        )
    taken = inspect.signature(cls).parameters
    for name, value in extra.items():
        if name in taken:
            arguments.setdefault(name, value)
    try:
        inspect.signature(cls).bind(**arguments)
    except TypeError as error:
        raise W2SError(f'{what}: {error}. {cls.__name__} takes: {", ".join(taken)}.') from error
    return cls(**arguments)
