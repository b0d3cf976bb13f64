"""What a module's ``state_dict`` calls its tensors, and which of them it has."""

from __future__ import annotations

from typing import Any

from torch import nn


def drop_prefix(module: nn.Module, name: str) -> None:
    """Leave the prefix of the submodule ``name`` out of a module's ``state_dict``.

    A wrapper then has the keys of what it wraps, and loads its checkpoints as they are.

    Args:
        module: The wrapper.
        name: Name of its submodule; no other submodule may have tensors.
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
    """Leave a module out of every ``state_dict``; loading does not change it."""
    module.register_state_dict_post_hook(_remove)
    module.register_load_state_dict_pre_hook(_keep)


def _remove(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        del state[key]


def _keep(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        state.setdefault(prefix + name, value)
