"""Resolved configs as plain values: how they are recorded, and where two of them differ."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Where and how a run was started, not what it computes.
_NOT_RECORDED = ('work_dir', 'launcher', 'resume', 'log_level', 'missing_data')
# Settings of the distillation, which a config without a teacher does not have.
DISTILLATION = (
    'model.teacher',
    'model.distill_head',
    'model.gamma',
    'default_hooks.weak_to_strong',
)
START = 'default_hooks.start'  # likewise, of a start from another model's weights


def recorded(config: dict[str, Any]) -> dict[str, Any]:
    """A resolved config as JSON values, without what is only true on this machine.

    Absolute paths are shortened: relative to the working directory below it, else their last part.

    Args:
        config: Plain values, see :func:`~w2s_mm.utils.mm.plain_types`.
    """
    kept = {key: value for key, value in config.items() if key not in _NOT_RECORDED}
    return {key: _portable(value) for key, value in kept.items()}


def _portable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _portable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_portable(inner) for inner in value]
    if isinstance(value, str) and os.path.isabs(value):
        path = Path(value)
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
    # JSON has no infinity.
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def differences(
    old: Any, new: Any, may_differ: Sequence[str] = (), path: str = ''
) -> Iterator[tuple[str, Any, Any]]:
    """Where two configs differ.

    Args:
        old: One of them, or a part of it.
        new: The other one.
        may_differ: Keys that are not compared.
        path: Dotted path of this part.

    Yields:
        Dotted path, old value, new value. The value is None where a side has no such key; a part
        that one side lacks altogether is one difference.
    """
    if path.rsplit('.', 1)[-1] in may_differ:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            inner = f'{path}.{key}' if path else str(key)
            yield from differences(old.get(key), new.get(key), may_differ, inner)
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, may_differ, f'{path}.{index}')
    elif old != new and not (old != old and new != new):  # NaN differs from itself
        yield path, old, new
