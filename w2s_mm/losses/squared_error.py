"""Mean squared error between two predictions."""

from __future__ import annotations

from mmengine.registry import MODELS
from torch import Tensor

from .reduction import RowLoss


@MODELS.register_module()
class SquaredErrorDistillLoss(RowLoss):
    r"""Mean squared error between the predictions of student ``s`` and teacher ``t``.

    .. math:: L = \frac{1}{n} \sum_r w_r\, \mathrm{mean}\,(s_r - t_r)^2

    The generation term of arXiv 2604.15451, section 3. The mean is over the elements of an image.

    Args:
        loss_weight: Factor on the loss, at least 0.

    Raises:
        W2SError: ``loss_weight`` is negative.
    """

    def rows(self, pred: Tensor, target: Tensor) -> Tensor:
        """Mean over the elements of each row, shape (R,)."""
        return ((pred - target) ** 2).flatten(1).mean(1)
