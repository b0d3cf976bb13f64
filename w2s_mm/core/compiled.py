"""Compile a student's submodules, so that what is recorded stays outside the compiled code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn

from .student import HEADS


def compile_parts(model: nn.Module, taps: Iterable[str], **options: Any) -> list[str]:
    """Compile the forward passes of a model's parts with ``torch.compile``.

    A compiled function does not run hooks that are registered after it was compiled, and
    :func:`~w2s_mm.core.tape.record` registers its hooks anew for each forward pass. So it is not
    the model's ``train_step`` that is compiled, but the ``forward`` of each of its largest
    submodules that have no tap inside. Hooks of such a submodule itself run, as ``__call__`` is not
    compiled. Without gradients (validation), the code is not compiled, as with MMEngine's own
    ``compile``. Parameters and the state dict stay the same.

    Args:
        model: The student.
        taps: Names of the submodules that are recorded.
        **options: Arguments of ``torch.compile``.

    Returns:
        Names of the compiled submodules.
    """
    parts = dict(_parts(model, '', set(taps)))
    for part in parts.values():
        part.forward = _in_training(part.forward, torch.compile(part.forward, **options))
    return list(parts)


def _parts(module: nn.Module, prefix: str, taps: set[str]) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        path = prefix + name
        if path == HEADS or next(child.parameters(), None) is None:
            continue  # without weights, such as the data preprocessor and losses
        has_forward = type(child).forward is not nn.Module.forward
        if has_forward and not any(tap.startswith(f'{path}.') for tap in taps):
            yield path, child
        else:
            yield from _parts(child, f'{path}.', taps)


def _in_training(plain: Callable[..., Any], compiled: Callable[..., Any]) -> Callable[..., Any]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        return (compiled if torch.is_grad_enabled() else plain)(*args, **kwargs)

    return forward
