"""Build schedules, temperatures and stop rules from configs."""

from __future__ import annotations

import inspect
from typing import Any

from mmengine.registry import MODELS, TASK_UTILS, Registry

from w2s_mm.utils import checks
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


def build_part(config: Any, what: str, example: str, registry: Registry = MODELS) -> Any:
    """Build a part of a model from its config, as ``MODELS.build`` does.

    Args:
        config: A dict with ``type``.
        what: The option that has it, for the message.
        example: A type that it could have, for the message.
        registry: Where types are looked up.

    Raises:
        W2SError: It is no such dict, or the type or an argument is unknown.
    """
    checks.settings(what, config, f'dict(type={example!r}, ...)')
    with registry.switch_scope_and_registry(config.get('_scope_')) as current:
        cls = _class_of(config.get('type'), what, current)
    check_arguments(cls, _arguments(config), what)
    return registry.build(config)


def build_optional(config: Any, what: str, example: str) -> Any:
    """Build a part as :func:`build_part` does; None or an empty dict is None.

    Raises:
        W2SError: See :func:`build_part`.
    """
    absent = config is None or (isinstance(config, dict) and not config)
    return None if absent else build_part(config, what, example)


def check_arguments(cls: Any, arguments: dict[str, Any], what: str) -> None:
    """Check that a class takes these arguments.

    Raises:
        W2SError: It does not; the message lists those that it takes.
    """
    signature = inspect.signature(cls)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        name, taken = getattr(cls, '__name__', cls), ', '.join(signature.parameters)
        raise W2SError(f'{what}: {error}. {name} takes: {taken}.') from error


def _build(config: Any, what: str, default: str, **extra: Any) -> Any:
    """Build a class, given directly or by its name in MMEngine's ``TASK_UTILS``.

    Args:
        config: A dict with ``type``.
        what: Config key, for the message.
        default: Default of ``type``.
        **extra: Defaults for arguments, used if the class has them.
    """
    checks.settings(what, config, f'dict(type={default!r}, ...)')
    cls = _class_of(config.get('type', default), what, TASK_UTILS)
    arguments = _arguments(config)
    taken = inspect.signature(cls).parameters
    arguments = {**{k: v for k, v in extra.items() if k in taken}, **arguments}
    check_arguments(cls, arguments, what)
    return cls(**arguments)


def _arguments(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in ('type', '_scope_')}


def _class_of(kind: Any, what: str, registry: Registry) -> Any:
    try:
        cls = registry.get(kind) if isinstance(kind, str) else kind
    except (ImportError, KeyError, ValueError):  # an unknown scope
        cls = None
    if not callable(cls):
        raise W2SError(
            f'{what}.type is {kind!r}, which is not registered in {registry.name}. '
            f'Check the spelling, or import the module that registers it: '
            f'custom_imports=dict(imports=[...]).'
        )
    return cls
