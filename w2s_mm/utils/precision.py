"""Compute losses in full precision."""

import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """``x`` in float32 if it is in half precision (as under AMP), else unchanged."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
