"""Soft-target focal loss between two sets of sigmoid outputs."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

from .reduction import RowLoss


@MODELS.register_module()
class FocalLogitDistillLoss(RowLoss):
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

    activation = 'sigmoid'

    def __init__(self, focal: float = 2.0, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        checks.number('focal', focal, least=0)
        if not (focal == 0 or focal >= 1):  # between 0 and 1 the gradient is infinite at s = t
            raise W2SError(f'focal is {focal}; expected 0 or a number of at least 1.')
        self.focal = focal

    def rows(self, pred: Tensor, target: Tensor) -> Tensor:
        """Sum over the classes of each row, shape (R,)."""
        p = target.sigmoid()
        loss = F.binary_cross_entropy_with_logits(pred, p, reduction='none')
        if self.focal:
            loss = (pred.sigmoid() - p).abs().pow(self.focal) * loss
        else:
            loss = loss - F.binary_cross_entropy_with_logits(target, p, reduction='none')
        return loss.sum(-1)
