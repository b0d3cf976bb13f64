"""Weighting and averaging, shared by all losses of this package."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from w2s_mm.utils import checks
from w2s_mm.utils.precision import full_precision

from .activation import Activation


def reduced(rows: Tensor, weight: Tensor | None, avg_factor: Tensor | float | None) -> Tensor:
    """Weighted sum of the rows, divided by ``avg_factor``.

    Args:
        rows: Loss of each row, shape (R,).
        weight: Weight of each row, shape (R,). Default: 1.
        avg_factor: Divisor of the sum. Default: the number of rows.

    Returns:
        A scalar; 0 if there are no rows.
    """
    if weight is not None:
        rows = rows * weight
    return rows.sum() / (max(len(rows), 1) if avg_factor is None else avg_factor)


class RowLoss(nn.Module):
    r"""Base of the losses: a weighted mean over rows, :math:`L = \frac{1}{n} \sum_r w_r\, \ell_r`.

    Args:
        loss_weight: Factor on the loss, at least 0.

    Raises:
        W2SError: ``loss_weight`` is negative or NaN.
    """

    activation: Activation | None = None  # of the logits that it compares; None: any

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        checks.number('loss_weight', loss_weight, least=0)
        self.loss_weight = loss_weight

    @abstractmethod
    def rows(self, pred: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, shape (R,); ``pred`` and ``target`` are in full precision."""

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """Compute the weighted sum over rows, divided by ``avg_factor``.

        Args:
            pred: Student output, shape (R, ...): logits (R, C), or a prediction.
            target: Teacher output, of the same shape. It is not detached, as a learned temperature
                needs its gradient; :func:`~w2s_mm.losses.tempered` detaches the teacher's.
            weight: Weight of each row, shape (R,). Default: 1.
            avg_factor: Divisor ``n``. Default: the number of rows.

        Returns:
            A scalar; 0 if there are no rows.
        """
        rows = self.rows(full_precision(pred), full_precision(target))
        return self.loss_weight * reduced(rows, weight, avg_factor)
