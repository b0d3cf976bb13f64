"""Record what passes through chosen modules of a forward pass that happens anyway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import nn


class Call(NamedTuple):
    """One forward call of a module: what went in and what came out, on the autograd graph."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any


Tape = dict[str, list[Call]]


@contextmanager
def record(module: nn.Module, taps: Sequence[str]) -> Iterator[Tape]:
    """Record every call of the submodules named in ``taps`` while the context is open.

    Nothing is detached, copied or run twice: the recorded tensors are the student's own.

    Args:
        module: The model that is about to run.
        taps: Names of submodules, as ``get_submodule`` takes them.

    Yields:
        A dict from each tap to its calls, in the order they happened.

    Raises:
        AttributeError: ``module`` has no submodule of that name.
    """
    tape: Tape = {name: [] for name in taps}
    handles = []
    try:
        for name in taps:
            calls = tape[name]
            handles.append(
                module.get_submodule(name).register_forward_hook(
                    lambda _, args, kwargs, output, calls=calls: calls.append(
                        Call(args, kwargs, output)
                    ),
                    with_kwargs=True,
                )
            )
        yield tape
    finally:
        for handle in handles:
            handle.remove()
