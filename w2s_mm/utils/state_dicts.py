"""Change the keys of a module's ``state_dict``."""

from __future__ import annotations

from typing import Any

from torch import nn


def drop_prefix(module: nn.Module, name: str) -> None:
    """Drop the prefix of the submodule ``name`` from a module's ``state_dict``.

    A wrapper then has the same keys as the wrapped module, and loads its checkpoints directly.

    Args:
        module: The wrapper.
        name: Name of the submodule. It must be the only one with tensors.
    """
    inner = f'{name}.'

    def without(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
        for key in [key for key in state if key.startswith(prefix + inner)]:
            state[prefix + key.removeprefix(prefix + inner)] = state.pop(key)

    def with_prefix(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
        for key in [key for key in state if key.startswith(prefix)]:
            state[prefix + inner + key.removeprefix(prefix)] = state.pop(key)

    module.register_state_dict_post_hook(without)
    module.register_load_state_dict_pre_hook(with_prefix)


def leave_out(module: nn.Module) -> None:
    """Exclude a module from every ``state_dict``. Loading keeps its current values."""
    module.register_state_dict_post_hook(_remove)
    module.register_load_state_dict_pre_hook(_keep)


def _remove(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        del state[key]


def _keep(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        state.setdefault(prefix + name, value)
