"""Mean squared error between two predictions."""

from __future__ import annotations

from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.utils.precision import full_precision

from .reduction import check_loss_weight, reduced


@MODELS.register_module()
class SquaredErrorDistillLoss(nn.Module):
    r"""Mean squared error between the predictions of student ``s`` and teacher ``t``.

    .. math:: L = \frac{1}{n} \sum_r w_r\, \mathrm{mean}\,(s_r - t_r)^2

    The generation term of arXiv 2604.15451, section 3. The mean is over the elements of an image.

    Args:
        loss_weight: Factor on the loss, at least 0.

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
        """Compute the weighted sum over rows, divided by ``avg_factor``.

        Args:
            pred: Student predictions, shape (R, ...).
            target: Teacher predictions, of the same shape; receives no gradient.
            weight: Weight of each row, shape (R,). Default: 1.
            avg_factor: Divisor ``n``. Default: the number of rows.

        Returns:
            A scalar; 0 if there are no rows.
        """
        error = (full_precision(pred) - full_precision(target.detach())) ** 2
        return self.loss_weight * reduced(error.flatten(1).mean(1), weight, avg_factor)
