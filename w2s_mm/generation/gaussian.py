"""Diagonal Gaussians over images: KL divergence, and likelihood of 8-bit images."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.special import log_ndtr

HALF_BIN = 1 / 255  # for 256 evenly spaced values on [-1, 1], including both ends


class Gaussian(NamedTuple):
    """A diagonal Gaussian: mean and log variance, each of shape (N, C, H, W)."""

    mean: Tensor
    log_variance: Tensor


def gaussian_kl(p: Gaussian, q: Gaussian) -> Tensor:
    r"""Kullback-Leibler divergence of each coordinate, in nats.

    .. math::
        \mathrm{KL}(p \| q) = \tfrac12 \left( \log\frac{\sigma_q^2}{\sigma_p^2} - 1
            + \frac{\sigma_p^2 + (\mu_p - \mu_q)^2}{\sigma_q^2} \right)

    Args:
        p: The Gaussian of the expectation, of shape (N, C, H, W).
        q: The other one, of the same shape.

    Returns:
        Shape (N, C, H, W); at least 0, and 0 where the two are equal.
    """
    narrower = p.log_variance - q.log_variance
    distance = (p.mean - q.mean) ** 2 * torch.exp(-q.log_variance)
    return 0.5 * (torch.expm1(narrower) - narrower + distance)


def discretized_log_likelihood(x: Tensor, gaussian: Gaussian) -> Tensor:
    r"""Log probability of 8-bit images under a Gaussian divided into 256 bins, in nats.

    Equation (13) of arXiv 2006.11239:

    .. math:: \log \int_{x - 1/255}^{x + 1/255} \mathcal{N}(z; \mu, \sigma^2)\, dz

    where the bin of -1 begins at minus infinity and that of 1 ends at infinity, so the 256 bins
    sum to 1. The integral is exact (the code of improved DDPM approximates the error function by a
    tanh) and is computed as a logarithm, so that its gradient does not vanish far from the mean.

    Args:
        x: Images of shape (N, C, H, W) with values 2k/255 - 1, k = 0 to 255.
        gaussian: The Gaussian of the model, of the same shape.

    Returns:
        Shape (N, C, H, W), at most 0.
    """
    precision = torch.exp(-0.5 * gaussian.log_variance)
    centred = x - gaussian.mean
    # By symmetry the bin can be moved below the mean, where the logarithm of the distribution
    # function is accurate.
    upper = log_ndtr((HALF_BIN - centred.abs()) * precision)
    lower = log_ndtr((-HALF_BIN - centred.abs()) * precision)
    empty = -torch.finfo(x.dtype).tiny  # for a Gaussian so wide that both ends round to one number
    inside = upper + torch.log(-torch.expm1((lower - upper).clamp(max=empty)))
    below = log_ndtr((centred + HALF_BIN) * precision)
    above = log_ndtr((HALF_BIN - centred) * precision)
    return torch.where(x < -1 + HALF_BIN, below, torch.where(x > 1 - HALF_BIN, above, inside))
