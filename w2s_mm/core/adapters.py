"""Adapters: trainable parameters of distill heads, kept separate from the student's weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from mmengine.dist import all_reduce, broadcast, get_world_size
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn


def trainable(heads: nn.Module) -> list[nn.Parameter]:
    """Parameters of the heads that require gradients."""
    return [parameter for parameter in heads.parameters() if parameter.requires_grad]


def adapter_state(heads: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of the heads by name, copied to the CPU, for a checkpoint.

    Needed because the heads leave themselves out of every ``state_dict``.
    """
    return {name: value.detach().cpu().clone() for name, value in _named(heads)}


def load_adapter_state(heads: nn.Module, state: dict[str, Tensor]) -> None:
    """Load the result of :func:`adapter_state`.

    Raises:
        KeyError: ``state`` lacks an adapter.
    """
    with torch.no_grad():
        for name, value in _named(heads):
            value.copy_(state[name])


def _named(heads: nn.Module) -> list[tuple[str, Tensor]]:
    return [*heads.named_parameters(), *heads.named_buffers()]


def hide_from_ddp(model: nn.Module, prefix: str) -> None:
    """Make DistributedDataParallel ignore the submodule ``prefix``.

    DDP would wait for adapter gradients in iterations without distillation, and cannot drop
    parameters later. :class:`GradientSync` averages these gradients instead.
    """
    heads = model.get_submodule(prefix)
    names = [f'{prefix}.{name}' for name, _ in _named(heads)]
    if names:  # DDP reads this attribute of the module it wraps
        model._ddp_params_and_buffers_to_ignore = names


class GradientSync:
    """Averages gradients over all processes at the end of each backward pass.

    It runs after DistributedDataParallel has launched its own reductions, and before anything reads
    the gradients (unscaling, clipping, the optimizer step). A parameter must receive a gradient on
    all processes or on none.

    Args:
        parameters: Parameters to synchronise. Their values are broadcast from rank 0 on
            construction.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self._queued = False
        self._handles: list[Any] = []
        if get_world_size() == 1:
            return
        for parameter in self.parameters:
            broadcast(parameter.data)
            self._handles.append(parameter.register_post_accumulate_grad_hook(self._queue))

    def _queue(self, _: Tensor) -> None:
        if not self._queued:
            self._queued = True
            torch.autograd.Variable._execution_engine.queue_callback(self._average)

    def _average(self) -> None:
        self._queued = False
        for parameter in self.parameters:
            if parameter.grad is not None:  # None: its head is not active, on any process
                all_reduce(parameter.grad, 'mean')

    def remove(self) -> None:
        """Stop averaging."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


def forget(parameters: Iterable[nn.Parameter], optim_wrapper: Any) -> None:
    """Remove parameters from every optimizer of a wrapper.

    Empty groups are kept, since parameter schedulers index them.

    Args:
        parameters: Parameters to remove.
        optim_wrapper: MMEngine's ``OptimWrapper`` or ``OptimWrapperDict``.
    """
    gone = {id(parameter): parameter for parameter in parameters}
    several = isinstance(optim_wrapper, OptimWrapperDict)
    wrappers = optim_wrapper.values() if several else [optim_wrapper]
    for wrapper in wrappers:
        for group in wrapper.optimizer.param_groups:
            group['params'] = [p for p in group['params'] if id(p) not in gone]
        for parameter in gone.values():
            wrapper.optimizer.state.pop(parameter, None)
