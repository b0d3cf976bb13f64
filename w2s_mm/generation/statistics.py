"""Streaming mean and covariance of features, and the Fréchet distance of two."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


class FeatureStatistics:
    """Sums and outer products of features in double precision; the features are not kept.

    Shapes: N images, D features per image.

    Args:
        dim: D.
    """

    def __init__(self, dim: int) -> None:
        # One tensor, so that processes need one exchange: the sum over the images of
        # (1, f)(1, f)^T, that is [[N, sum f], [sum f, sum f f^T]].
        self._sums = torch.zeros(dim + 1, dim + 1, dtype=torch.float64)

    @property
    def dim(self) -> int:
        """D."""
        return len(self._sums) - 1

    def update(self, features: Tensor) -> None:
        """Add the features of some images, shape (N, D)."""
        features = features.detach().cpu().double()
        features = torch.cat([features.new_ones(len(features), 1), features], dim=1)
        self._sums += features.T @ features

    def of_all_processes(self) -> FeatureStatistics:
        """The statistics over all processes."""
        together = FeatureStatistics(self.dim)
        together._sums += self._sums
        if get_world_size() > 1:
            all_reduce(together._sums, 'sum')
        return together

    @property
    def count(self) -> int:
        """N."""
        return round(self._sums[0, 0].item())

    @property
    def mean(self) -> Tensor:
        """Shape (D,)."""
        return self._sums[0, 1:] / self.count

    @property
    def covariance(self) -> Tensor:
        """Unbiased, shape (D, D)."""
        return (self._sums[1:, 1:] - self.count * torch.outer(self.mean, self.mean)) / (
            self.count - 1
        )


def frechet_distance(mean: Tensor, covariance: Tensor, other: Tensor, others: Tensor) -> float:
    r"""Fréchet distance of two Gaussians, squared (arXiv 1706.08500, equation (6)).

    .. math::
        \|\mu_1 - \mu_2\|^2 + \mathrm{tr}\, (C_1 + C_2 - 2 (C_1 C_2)^{1/2})

    The trace of the root is that of :math:`(C_1^{1/2} C_2 C_1^{1/2})^{1/2}`, which is symmetric:
    its eigenvalues are real, and those that are negative by rounding are set to 0.

    Args:
        mean: Mean of the first, shape (D,), in double precision.
        covariance: Covariance of the first, shape (D, D).
        other: Mean of the second, shape (D,).
        others: Covariance of the second, shape (D, D).
    """
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ others @ root).clamp(min=0).sqrt().sum()
    distance = (mean - other).square().sum() + covariance.trace() + others.trace() - 2 * cross
    return max(0.0, distance.item())
