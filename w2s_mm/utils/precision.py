"""Half precision, kept out of losses."""

import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """``x`` in float32 if it is in a half precision (as under AMP), otherwise as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
