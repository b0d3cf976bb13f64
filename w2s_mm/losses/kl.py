"""What the distillation losses of several tasks share."""

import torch
import torch.nn.functional as F
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """``x`` in float32 if it is in a half precision (as under AMP), otherwise as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def temperature_kl(
    student: Tensor, teacher: Tensor, temperature: float, reverse: bool = False
) -> Tensor:
    r"""Equation (3) of arXiv 2604.15451, row by row: :math:`T^2\,\mathrm{KL}(p^t_T \| p^s_T)`.

    With :math:`p_T = \mathrm{softmax}(z / T)` of the student's and the teacher's logits.

    Args:
        student: Student logits, shape (R, C).
        teacher: Teacher logits, shape (R, C); takes no gradient.
        temperature: ``T(u)``, above 0.
        reverse: The other direction, KL(student || teacher), the paper's ablation.

    Returns:
        Shape (R,), in nats; at least 0, and 0 where the two agree up to a constant.
    """
    ours = F.log_softmax(full_precision(student) / temperature, dim=-1)
    theirs = F.log_softmax(full_precision(teacher.detach()) / temperature, dim=-1)
    inputs, target = (theirs, ours) if reverse else (ours, theirs)
    return temperature**2 * F.kl_div(inputs, target, reduction='none', log_target=True).sum(-1)
