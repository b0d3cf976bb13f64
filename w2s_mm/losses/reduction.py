"""Weighting and averaging, shared by all losses of this package."""

from __future__ import annotations

from torch import Tensor

from w2s_mm.utils.errors import W2SError


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


def check_loss_weight(loss_weight: float) -> None:
    """Check that the weight of a loss is not negative.

    Raises:
        W2SError: ``loss_weight`` is negative or NaN.
    """
    if not loss_weight >= 0:
        raise W2SError(f'loss_weight is {loss_weight}; expected a number of at least 0.')
