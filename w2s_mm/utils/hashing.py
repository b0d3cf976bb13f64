"""Hashes of tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def tensor_bytes(tensor: Tensor) -> bytes:
    """The bytes of a tensor on any device, in any layout and dtype."""
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def hash_tensors(batch: Any) -> str:
    """SHA-256 of the tensors in a nested batch, in order; other values are ignored."""
    digest = hashlib.sha256()
    for tensor in _tensors(batch):
        digest.update(f'{tuple(tensor.shape)}'.encode())
        digest.update(tensor_bytes(tensor))
    return digest.hexdigest()


def hash_state(state: Mapping[str, Tensor], digest: Any = None, dtypes: bool = False) -> str:
    """SHA-256 of the names, shapes and bytes in a state dict.

    Args:
        state: Tensors by name; their order matters.
        digest: Hash object to update. Default: a new one.
        dtypes: Whether to include the dtypes.
    """
    digest = digest or hashlib.sha256()
    for name, value in state.items():
        digest.update(f'{name}{tuple(value.shape)}{value.dtype if dtypes else ""}'.encode())
        digest.update(tensor_bytes(value))
    return digest.hexdigest()


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from _tensors(value)
    elif isinstance(batch, (list, tuple)):
        for value in batch:
            yield from _tensors(value)
