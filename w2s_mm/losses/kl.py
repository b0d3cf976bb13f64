"""Kullback-Leibler divergence between two softmax distributions."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.utils.precision import full_precision

from .reduction import check_loss_weight, reduced


def softmax_kl(pred: Tensor, target: Tensor, reverse: bool = False) -> Tensor:
    r"""KL divergence, row by row: :math:`\mathrm{KL}(\mathrm{softmax}(t) \| \mathrm{softmax}(s))`.

    Args:
        pred: Student logits ``s``, shape (R, C).
        target: Teacher logits ``t``, shape (R, C); takes no gradient.
        reverse: The other direction, KL(student || teacher).

    Returns:
        Shape (R,), in nats; at least 0, and 0 where the two agree up to a constant.
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

    Equation (3) of arXiv 2604.15451 at T = 1. A distill head applies the temperature, see
    :func:`~w2s_mm.losses.tempered`.

    Args:
        reverse: The other direction, KL(student || teacher), the paper's ablation.
        loss_weight: Factor on the result, at least 0.

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
        """Weighted sum over rows, divided by ``avg_factor``.

        Args:
            pred: Student logits, shape (R, C).
            target: Teacher logits, shape (R, C); takes no gradient.
            weight: Weight of each row, shape (R,); 1 if None.
            avg_factor: ``n``; the number of rows if None.

        Returns:
            A scalar, in nats; 0 for no rows.
        """
        rows = softmax_kl(pred, target, self.reverse)
        return self.loss_weight * reduced(rows, weight, avg_factor)
