"""Record what passes through chosen modules of a forward pass that happens anyway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import nn

from w2s_mm.utils.errors import W2SError


class Call(NamedTuple):
    """One forward call of a module: what went in and what came out, on the autograd graph."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any


class Tape(dict[str, list[Call]]):
    """The recorded calls of each tap, in the order in which they happened."""

    def last(self, tap: str) -> Call:
        """The last recorded call of a tap.

        Raises:
            W2SError: Nothing was recorded: the module was not called as a module.
        """
        if self.get(tap):
            return self[tap][-1]
        raise W2SError(
            f'Nothing was recorded at {tap!r}: the model did not call this module during its '
            f'forward pass. A module that calls self.forward(...) instead of self(...), and a '
            f'model compiled as a whole, hide the call from forward hooks. Call the module itself, '
            f'switch compile off, or choose a distill head with another tap.'
        )


@contextmanager
def record(module: nn.Module, taps: Sequence[str]) -> Iterator[Tape]:
    """Record every call of the submodules named in ``taps`` while the context is open.

    Nothing is detached, copied or run twice: the recorded tensors are the student's own.

    Args:
        module: The model that is about to run.
        taps: Names of submodules, as ``get_submodule`` takes them; a repeated one counts once.

    Yields:
        A :class:`Tape` with the calls of each tap.

    Raises:
        AttributeError: ``module`` has no submodule of that name.
    """
    tape = Tape({name: [] for name in taps})
    handles = []
    try:
        for name, calls in tape.items():
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
