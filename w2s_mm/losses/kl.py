"""Kullback-Leibler divergence between two softmax distributions."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from w2s_mm.utils import checks
from w2s_mm.utils.precision import full_precision

from .reduction import RowLoss


def softmax_kl(pred: Tensor, target: Tensor, reverse: bool = False) -> Tensor:
    r"""KL divergence of each row: :math:`\mathrm{KL}(\mathrm{softmax}(t) \| \mathrm{softmax}(s))`.

    Args:
        pred: Student logits ``s``, shape (R, C).
        target: Teacher logits ``t``, shape (R, C).
        reverse: Compute KL(student || teacher) instead.

    Returns:
        Shape (R,), in nats; 0 where the logits are equal up to a constant.
    """
    ours = F.log_softmax(full_precision(pred), dim=-1)
    theirs = F.log_softmax(full_precision(target), dim=-1)
    inputs, goal = (theirs, ours) if reverse else (ours, theirs)
    return F.kl_div(inputs, goal, reduction='none', log_target=True).sum(-1)


@MODELS.register_module()
class KLDistillLoss(RowLoss):
    r"""KL divergence between the softmax outputs of student ``s`` and teacher ``t``.

    .. math::
        L = \frac{1}{n} \sum_r w_r\,
            \mathrm{KL}(\mathrm{softmax}(t_r) \,\|\, \mathrm{softmax}(s_r))

    Equation (3) of arXiv 2604.15451 at T = 1. Distill heads apply the temperature with
    :func:`~w2s_mm.losses.tempered`.

    Args:
        reverse: Compute KL(student || teacher) instead, an ablation of the paper.
        loss_weight: Factor on the loss, at least 0.

    Raises:
        W2SError: ``loss_weight`` is negative.
    """

    activation = 'softmax'

    def __init__(self, reverse: bool = False, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        checks.flag('reverse', reverse)
        self.reverse = reverse

    def rows(self, pred: Tensor, target: Tensor) -> Tensor:
        """KL divergence of each row in nats, shape (R,)."""
        return softmax_kl(pred, target, self.reverse)
