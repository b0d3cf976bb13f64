"""Kullback-Leibler divergence between two softmax distributions."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.utils.precision import full_precision

from .reduction import check_loss_weight, reduced


def softmax_kl(pred: Tensor, target: Tensor, reverse: bool = False) -> Tensor:
    r"""KL divergence of each row: :math:`\mathrm{KL}(\mathrm{softmax}(t) \| \mathrm{softmax}(s))`.

    Args:
        pred: Student logits ``s``, shape (R, C).
        target: Teacher logits ``t``, shape (R, C); receives no gradient.
        reverse: Compute KL(student || teacher) instead.

    Returns:
        Shape (R,), in nats; 0 where the logits are equal up to a constant.
    """
    ours = F.log_softmax(full_precision(pred), dim=-1)
    theirs = F.log_softmax(full_precision(target.detach()), dim=-1)
    inputs, goal = (theirs, ours) if reverse else (ours, theirs)
    return F.kl_div(inputs, goal, reduction='none', log_target=True).sum(-1)


@MODELS.register_module()
class KLDistillLoss(nn.Module):
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

    def __init__(self, reverse: bool = False, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_loss_weight(loss_weight)
        self.reverse = reverse
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """Compute the weighted sum over rows, divided by ``avg_factor``.

        Args:
            pred: Student logits, shape (R, C).
            target: Teacher logits, shape (R, C); receives no gradient.
            weight: Weight of each row, shape (R,). Default: 1.
            avg_factor: Divisor ``n``. Default: the number of rows.

        Returns:
            A scalar, in nats; 0 if there are no rows.
        """
        rows = softmax_kl(pred, target, self.reverse)
        return self.loss_weight * reduced(rows, weight, avg_factor)
