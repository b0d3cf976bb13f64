"""How alike two sets of features are: linear CKA, minibatch by minibatch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from w2s_mm.utils.errors import W2SError

MIN_ROWS = 4  # below that the unbiased estimator is not defined


def unbiased_hsic(k: Tensor, m: Tensor) -> Tensor:
    r"""Unbiased estimator of HSIC of two Gram matrices, equation (5) of arXiv 2010.15327.

    .. math::
        \frac{1}{n(n-3)} \left( \mathrm{tr}(\tilde K \tilde M)
        + \frac{1^T \tilde K 1\; 1^T \tilde M 1}{(n-1)(n-2)}
        - \frac{2}{n-2} 1^T \tilde K \tilde M 1 \right)

    with the diagonals of both set to 0.

    Args:
        k: Gram matrix, shape (n, n), n at least 4.
        m: Gram matrix of the same rows, shape (n, n).

    Returns:
        A scalar, which may be negative.
    """
    n = len(k)
    k, m = (gram - gram.diag().diag() for gram in (k, m))
    # Both are symmetric: the trace of the product is the sum of the products.
    trace = (k * m).sum()
    apart = k.sum() * m.sum() / ((n - 1) * (n - 2))
    together = 2 * (k.sum(0) @ m.sum(0)) / (n - 2)
    return (trace + apart - together) / (n * (n - 3))


class LinearCKA:
    r"""Linear CKA of two networks' features of the same images, as a stream.

    .. math:: \mathrm{CKA} = \frac{\sum_b H(K_b, M_b)}{\sqrt{\sum_b H(K_b, K_b)}
        \sqrt{\sum_b H(M_b, M_b)}}, \quad K_b = X_b X_b^T,\ M_b = Y_b Y_b^T

    with the unbiased ``H`` of :func:`unbiased_hsic`: the minibatch estimator of arXiv 2010.15327,
    whose value does not depend on how large the minibatches are, apart from noise. The plain
    (biased) estimator would, and with fewer images than channels it sees likeness everywhere.

    Rows are collected to minibatches of one size, whatever the loader's is.

    Args:
        minibatch: Rows of a minibatch, at least 4.

    Raises:
        W2SError: ``minibatch`` is below 4.
    """

    def __init__(self, minibatch: int = 64) -> None:
        if minibatch < MIN_ROWS:
            raise W2SError(f'The minibatch of CKA is {minibatch}; expected at least {MIN_ROWS}.')
        self.minibatch = minibatch
        self.rows = 0  # that are in the value
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self._sums = torch.zeros(3, dtype=torch.float64)

    def update(self, x: Tensor, y: Tensor) -> None:
        """Take in the features of N images.

        Args:
            x: Of the one network, shape (N, K).
            y: Of the other, shape (N, K'); K and K' may differ.

        Raises:
            W2SError: The numbers of rows differ.
        """
        if len(x) != len(y):
            raise W2SError(f'Features of {len(x)} and of {len(y)} images cannot be compared.')
        self._waiting.append((x.detach().cpu().double(), y.detach().cpu().double()))
        if sum(len(rows) for rows, _ in self._waiting) < self.minibatch:
            return
        x, y = (torch.cat(side) for side in zip(*self._waiting, strict=True))
        for start in range(0, len(x) - self.minibatch + 1, self.minibatch):
            part = slice(start, start + self.minibatch)
            self._add(x[part], y[part])
        left = len(x) % self.minibatch
        self._waiting = [(x[-left:], y[-left:])] if left else []

    def _add(self, x: Tensor, y: Tensor) -> None:
        k, m = x @ x.T, y @ y.T
        pairs = ((k, m), (k, k), (m, m))
        self._sums += torch.stack([unbiased_hsic(*pair) for pair in pairs])
        self.rows += len(x)

    def value(self) -> float:
        """CKA of everything so far, NaN where there were too few rows or no variation.

        What does not fill a minibatch counts as a smaller one, if it has 4 rows.
        """
        if sum(len(x) for x, _ in self._waiting) >= MIN_ROWS:
            x, y = (torch.cat(side) for side in zip(*self._waiting, strict=True))
            self._waiting = []
            self._add(x, y)
        xy, xx, yy = self._sums.tolist()
        return xy / math.sqrt(xx * yy) if xx > 0 and yy > 0 else math.nan
