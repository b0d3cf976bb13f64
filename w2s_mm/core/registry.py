"""Build schedules, temperatures and stop rules from configs."""

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
    """Build a schedule; ``type`` defaults to ``'WarmupHoldDecay'``.

    Raises:
        W2SError: The type or an argument is unknown, or an argument is out of range.
    """
    return _build(config, 'schedule', 'WarmupHoldDecay')


def build_temperature(config: float | dict[str, Any]) -> TemperatureRamp:
    """Build a temperature from a constant or a config.

    Raises:
        W2SError: The type or an argument is unknown, or an argument is out of range.
    """
    if not isinstance(config, dict):
        return TemperatureRamp(config)
    return _build(config, 'temperature', 'TemperatureRamp')


def build_stop(config: dict[str, Any], rule: Rule) -> StopRule:
    """Build a stop rule; ``type`` defaults to ``'SurpassGate'``.

    Args:
        config: Config of the stop rule.
        rule: ``'greater'`` or ``'less'``, passed on if the type has a parameter ``rule``.

    Raises:
        W2SError: The type or an argument is unknown, or an argument is out of range.
    """
    return _build(config, 'stop', 'SurpassGate', rule=rule)


def _build(config: Any, what: str, default: str, **extra: Any) -> Any:
    """Build a class, given directly or by its name in MMEngine's ``TASK_UTILS``.

    Args:
        config: A dict with ``type``.
        what: Config key, for the message.
        default: Default of ``type``.
        **extra: Defaults for arguments, used if the class has them.
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
            f'{what}.type is {kind!r}, which is not registered in TASK_UTILS. '
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
