"""Save and restore the state of the random number generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def rng_state() -> dict[str, Any]:
    """State of the generators of Python, NumPy and torch.

    Consists of lists and tensors, so a checkpoint with it still loads with ``weights_only=True``.
    """
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        'python': [version, list(internal), gauss],
        'numpy': [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        'torch': torch.get_rng_state(),
        'cuda': torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_rng_state(state: dict[str, Any]) -> None:
    """Restore a state saved by :func:`rng_state`."""
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state['torch'].cpu())
    # A run resumed on more GPUs keeps the fresh states of the additional ones.
    for device, cuda_state in enumerate(state['cuda'][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(cuda_state.cpu(), device)


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Seed the CPU's generators with a hash of some numbers, and restore them at the end."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    first, second, third = np.random.SeedSequence(numbers).generate_state(3)
    try:
        random.seed(int(first))
        np.random.seed(second)
        torch.default_generator.manual_seed(int(third))
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Restore the state of all generators at the end of the context."""
    state = rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
