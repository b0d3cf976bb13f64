"""Record the inputs and outputs of chosen modules during a forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import nn
from torch.utils._pytree import tree_map

from w2s_mm.utils.errors import W2SError


class Call(NamedTuple):
    """Inputs and output of one forward call of a module, still on the autograd graph."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any


class Tape(dict[str, list[Call]]):
    """The recorded calls of each tap, oldest first."""

    def last(self, tap: str) -> Call:
        """The last recorded call of a tap.

        Raises:
            W2SError: Nothing was recorded at this tap.
        """
        if self.get(tap):
            return self[tap][-1]
        raise W2SError(
            f'Nothing was recorded at {tap!r}: the forward hooks of this module did not run. They '
            f'are skipped if the model calls module.forward(...) instead of module(...), or is '
            f'compiled as a whole. Call the module itself, switch compile off, or choose a distill '
            f'head with another tap.'
        )


@contextmanager
def record(module: nn.Module, taps: Sequence[str]) -> Iterator[Tape]:
    """Record all calls of the submodules ``taps`` inside the context.

    Nothing is detached, copied or run twice: the recorded tensors are the model's own. The lists
    around them are not, as a model may replace tensors in its lists afterwards (FSAF).

    Args:
        module: The model to record.
        taps: Names of submodules, as for ``get_submodule``; duplicates are ignored.

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
                        Call(args, kwargs, tree_map(lambda leaf: leaf, output))
                    ),
                    with_kwargs=True,
                )
            )
        yield tape
    finally:
        for handle in handles:
            handle.remove()
