"""Soft-target focal loss between two sets of sigmoid outputs."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

from .reduction import check_loss_weight, reduced


@MODELS.register_module()
class FocalLogitDistillLoss(nn.Module):
    r"""Soft-target focal loss between the sigmoid logits of student ``s`` and teacher ``t``.

    .. math::
        L = \frac{1}{n} \sum_r w_r \sum_c |\sigma(s_{rc}) - p_{rc}|^{\gamma}\,
            \mathrm{BCE}(\sigma(s_{rc}), p_{rc}), \quad p = \sigma(t)

    The paper names the term and T = 2 (arXiv 2604.15451, section 4.1) but gives no formula. This is
    the focal loss (arXiv 1708.02002) with soft targets. For ``focal = 0`` the entropy of ``p``, a
    constant, is subtracted, so that for any ``focal`` the loss is 0 exactly where student and
    teacher agree. Distill heads apply the temperature with :func:`~w2s_mm.losses.tempered`.

    Args:
        focal: Exponent ``gamma``: 0 (soft BCE), or at least 1. Default: 2, as in the focal loss.
        loss_weight: Factor on the loss, at least 0.

    Raises:
        W2SError: An argument is out of range.
    """

    def __init__(self, focal: float = 2.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_loss_weight(loss_weight)
        if not (focal == 0 or focal >= 1):  # between 0 and 1 the gradient is infinite at s = t
            raise W2SError(f'focal is {focal}; expected 0 or a number of at least 1.')
        self.focal = focal
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """Compute the weighted sum over rows and classes, divided by ``avg_factor``.

        Args:
            pred: Student logits, shape (R, C).
            target: Teacher logits, shape (R, C); receives no gradient.
            weight: Weight of each row, shape (R,). Default: 1.
            avg_factor: Divisor ``n``. Default: the number of rows.

        Returns:
            A scalar; 0 if there are no rows.
        """
        logits, target = full_precision(pred), full_precision(target.detach())
        p = target.sigmoid()
        loss = F.binary_cross_entropy_with_logits(logits, p, reduction='none')
        if self.focal:
            loss = (logits.sigmoid() - p).abs().pow(self.focal) * loss
        else:
            loss = loss - F.binary_cross_entropy_with_logits(target, p, reduction='none')
        return self.loss_weight * reduced(loss.sum(-1), weight, avg_factor)
