"""A teacher that answers with NaN or infinity is silenced, without waiting for the device."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

# In place of every number of an answer that is dropped. Any finite number would do for what
# follows, since all it gives is multiplied by 0; this one, as a logit, also leaves no prior or RoI
# confident, so that a loss over the confident ones is not suddenly one over all.
SILENCE = -30.0


def all_finite(answer: Any, device: torch.device) -> Tensor:
    """Whether no tensor in ``answer`` holds NaN or infinity, on any rank: a bool on ``device``.

    Args:
        answer: Tensors, in any nesting of tuples, lists and dicts.
        device: Where the result lives; nothing waits for it.
    """
    parts = [torch.isfinite(leaf).all() for leaf in tree_leaves(answer) if _is_number(leaf)]
    finite = torch.stack(parts).all() if parts else torch.tensor(True, device=device)
    if get_world_size() > 1:
        agreed = finite.float()
        all_reduce(agreed, 'min')
        finite = agreed > 0
    return finite


def silenced_unless(finite: Tensor, answer: Any) -> Any:
    """``answer`` where ``finite`` holds, else the same with :data:`SILENCE` for its numbers."""
    return tree_map(
        lambda leaf: leaf.where(finite, SILENCE) if _is_number(leaf) else leaf,
        answer,
    )


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()
