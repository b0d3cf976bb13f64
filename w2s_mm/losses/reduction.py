"""What every loss of this room does with its rows."""

from __future__ import annotations

from torch import Tensor

from w2s_mm.utils.errors import W2SError


def reduced(rows: Tensor, weight: Tensor | None, avg_factor: Tensor | float | None) -> Tensor:
    """Weighted sum of the rows' losses over ``avg_factor``.

    Args:
        rows: One loss a row, shape (R,).
        weight: Weight of each row, shape (R,); 1 if None.
        avg_factor: What the sum is divided by; the number of rows if None.

    Returns:
        A scalar; 0 for no rows.
    """
    if weight is not None:
        rows = rows * weight
    return rows.sum() / (max(len(rows), 1) if avg_factor is None else avg_factor)


def check_loss_weight(loss_weight: float) -> None:
    """Refuse a negative weight of a loss.

    Raises:
        W2SError: It is negative or NaN.
    """
    if not loss_weight >= 0:
        raise W2SError(f'loss_weight is {loss_weight}; expected a number of at least 0.')
