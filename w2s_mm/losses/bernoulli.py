"""Entropy and divergence of sigmoid scores: one yes or no for each class."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from w2s_mm.utils.precision import full_precision


def bernoulli_entropy(logits: Tensor) -> Tensor:
    """Entropy in nats of C independent binary predictions, summed: (R, C) to (R,)."""
    logits = full_precision(logits)
    return F.binary_cross_entropy_with_logits(logits, logits.sigmoid(), reduction='none').sum(-1)


def bernoulli_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(student || teacher) in nats of C independent binary predictions, summed: to (R,)."""
    student, teacher = full_precision(student), full_precision(teacher)
    cross = F.binary_cross_entropy_with_logits(teacher, student.sigmoid(), reduction='none')
    return cross.sum(-1) - bernoulli_entropy(student)
