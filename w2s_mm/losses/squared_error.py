"""Mean squared distance between two predictions."""

from __future__ import annotations

from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.utils.precision import full_precision

from .reduction import check_loss_weight, reduced


@MODELS.register_module()
class SquaredErrorDistillLoss(nn.Module):
    r"""Mean squared distance between the predictions of student ``s`` and teacher ``t``.

    .. math:: L = \frac{1}{n} \sum_r w_r\, \mathrm{mean}\,(s_r - t_r)^2

    The generation term of arXiv 2604.15451, section 3, with the mean over an image's elements.

    Args:
        loss_weight: Factor on the result, at least 0.

    Raises:
        W2SError: ``loss_weight`` is negative.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_loss_weight(loss_weight)
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
            pred: The student's, shape (R, ...).
            target: The teacher's, of the same shape; takes no gradient.
            weight: Weight of each row, shape (R,); 1 if None.
            avg_factor: ``n``; the number of rows if None.

        Returns:
            A scalar; 0 for no rows.
        """
        distance = (full_precision(pred) - full_precision(target.detach())) ** 2
        return self.loss_weight * reduced(distance.flatten(1).mean(1), weight, avg_factor)
