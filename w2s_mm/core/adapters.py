"""Trainable parameters of distill heads: trained with the student, kept apart from its weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from mmengine.dist import all_reduce, broadcast, get_world_size
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn


def trainable(heads: nn.Module) -> list[nn.Parameter]:
    """The adapters' parameters that are trained."""
    return [parameter for parameter in heads.parameters() if parameter.requires_grad]


def adapter_state(heads: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of the heads by name, for a checkpoint; their ``state_dict`` is empty.

    The values are copies on the CPU.
    """
    return {name: value.detach().cpu().clone() for name, value in _named(heads)}


def load_adapter_state(heads: nn.Module, state: dict[str, Tensor]) -> None:
    """Restore what :func:`adapter_state` gave.

    Raises:
        KeyError: An adapter is missing in ``state``.
    """
    with torch.no_grad():
        for name, value in _named(heads):
            value.copy_(state[name])


def _named(heads: nn.Module) -> list[tuple[str, Tensor]]:
    return [*heads.named_parameters(), *heads.named_buffers()]


def hide_from_ddp(model: nn.Module, prefix: str) -> None:
    """Let DistributedDataParallel ignore the submodule ``prefix``.

    It would wait for the gradients of adapters in every iteration without distillation, and cannot
    forget a parameter. :class:`GradientSync` averages their gradients instead.
    """
    heads = model.get_submodule(prefix)
    names = [f'{prefix}.{name}' for name, _ in _named(heads)]
    if names:  # DistributedDataParallel reads this attribute of the module that it wraps
        model._ddp_params_and_buffers_to_ignore = names


class GradientSync:
    """Averages the gradients of parameters over all processes, once at the end of each backward.

    It runs after DistributedDataParallel has launched its own reductions, and before anything reads
    the gradients (unscaling, clipping, the optimizer's step). A parameter must get a gradient on
    all processes or on none.

    Args:
        parameters: Whose gradients to average. Their values are made those of rank 0 at once.
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
            if parameter.grad is not None:  # None: its head takes no part yet, on any process
                all_reduce(parameter.grad, 'mean')

    def remove(self) -> None:
        """Stop averaging."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


def forget(parameters: Iterable[nn.Parameter], optim_wrapper: Any) -> None:
    """Remove parameters from every optimizer of a wrapper.

    Groups stay, empty ones too: schedulers count them.

    Args:
        parameters: What to remove.
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
