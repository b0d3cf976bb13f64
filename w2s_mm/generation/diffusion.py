"""The mathematics of improved DDPM: noise schedules, forward and reverse process, losses."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

from .gaussian import Gaussian, discretized_log_likelihood, gaussian_kl

NoiseSchedule = Literal['linear', 'cosine']
MAX_BETA = 0.999
MAX_STEPS = 100_000


def linear_range(steps: int) -> tuple[float, float]:
    """First and last beta of the linear schedule: those of DDPM's 1000 steps, scaled to ``steps``.

    The convention of improved DDPM: with 4 times as many steps, each adds a quarter of the
    variance.
    """
    return 1000 / steps * 1e-4, 1000 / steps * 0.02


def make_betas(schedule: NoiseSchedule, steps: int) -> Tensor:
    r"""Variances :math:`\beta_t` that the noising process adds, step by step.

    ``'linear'``: evenly from 1e-4 to 0.02, for 1000 steps (arXiv 2006.11239), scaled as
    :func:`linear_range` says. ``'cosine'``: equation (17) of arXiv 2102.09672,

    .. math::
        \bar\alpha_t = f(t) / f(0), \quad
        f(t) = \cos^2\left( \frac{t/T + 0.008}{1.008} \cdot \frac\pi2 \right), \quad
        \beta_t = \min(1 - \bar\alpha_t / \bar\alpha_{t-1},\; 0.999)

    Args:
        schedule: ``'linear'`` or ``'cosine'``.
        steps: ``T``.

    Returns:
        Shape (T,), in double precision.

    Raises:
        W2SError: The schedule is unknown, or there are too few ``steps`` for it.
    """
    checks.choice('noise_schedule', schedule, get_args(NoiseSchedule))
    fewest = 21 if schedule == 'linear' else 2  # the last linear beta has to stay below 1
    if not isinstance(steps, int) or isinstance(steps, bool) or not fewest <= steps <= MAX_STEPS:
        raise W2SError(
            f'steps is {steps!r}; the {schedule} noise schedule needs a whole number of at least '
            f'{fewest} and at most {MAX_STEPS}. The paper uses 4000.'
        )
    if schedule == 'linear':
        return torch.linspace(*linear_range(steps), steps, dtype=torch.float64)
    kept = [math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(steps + 1)]
    betas = [min(1 - kept[t + 1] / kept[t], MAX_BETA) for t in range(steps)]
    return torch.tensor(betas, dtype=torch.float64)


class GaussianDiffusion(nn.Module):
    r"""The noising process ``q`` and the model's reverse ``p`` (arXiv 2102.09672, section 2).

    Its tables are always in double precision, follow the model's device and are in no checkpoint.
    Results have the precision of the images, at least single.

    Shapes: N images of C channels, T steps; ``t`` counts from 0 (least noise) to T - 1 and has
    the shape (N,). The model's ``output`` has 2C channels: the predicted noise, then the variance.

    Args:
        schedule: ``'linear'`` or ``'cosine'``, see :func:`make_betas`.
        steps: ``T``.

    Raises:
        W2SError: An argument is out of range.
    """

    betas: Tensor
    alphas_bar: Tensor
    posterior_variance: Tensor

    def __init__(self, schedule: NoiseSchedule = 'cosine', steps: int = 4000) -> None:
        super().__init__()
        betas = make_betas(schedule, steps)
        self.schedule = schedule
        self.steps = steps
        alphas_bar = torch.cumprod(1 - betas, dim=0)
        before = torch.cat([betas.new_ones(1), alphas_bar[:-1]])  # alpha bar at t - 1
        posterior_variance = betas * (1 - before) / (1 - alphas_bar)
        # 0 at t = 0, where the posterior is never sampled; its logarithm is that of t = 1.
        posterior_variance[0] = posterior_variance[1]
        tables = {
            'betas': betas,
            'alphas_bar': alphas_bar,
            'posterior_variance': posterior_variance,
            'start_share': betas * before.sqrt() / (1 - alphas_bar),
            'sample_share': (1 - betas).sqrt() * (1 - before) / (1 - alphas_bar),
        }
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def _apply(self, fn, recurse=True):
        """Move the tables with the model, and keep them in double precision."""
        for name, table in self._buffers.items():
            assert table is not None
            self._buffers[name] = table.to(fn(table).device)
        return self

    @staticmethod
    def _at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
        """Values of a table at ``t``, shape (N, 1, 1, 1), in the precision of ``like``."""
        return table[t].to(like.dtype).view(-1, 1, 1, 1)

    def add_noise(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        r"""A sample of :math:`q(x_t | x_0)`, equation (9): the input of the model.

        .. math:: x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon

        Args:
            x0: Images of shape (N, C, H, W).
            t: Steps, shape (N,).
            noise: Standard normal numbers, shape (N, C, H, W).

        Returns:
            Shape (N, C, H, W).
        """
        x0, noise = full_precision(x0), full_precision(noise)
        kept = self._at(self.alphas_bar.sqrt(), t, x0)
        added = self._at((1 - self.alphas_bar).sqrt(), t, x0)
        return kept * x0 + added * noise

    def predict_x0(self, x_t: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The image from which :meth:`add_noise` made ``x_t`` with this noise; its inverse.

        Args:
            x_t: Noised images, shape (N, C, H, W).
            t: Steps, shape (N,).
            noise: The noise, or the model's prediction of it, shape (N, C, H, W).

        Returns:
            Shape (N, C, H, W), not clipped to [-1, 1].
        """
        x_t, noise = full_precision(x_t), full_precision(noise)
        scale = self._at(self.alphas_bar.rsqrt(), t, x_t)
        removed = self._at((1 / self.alphas_bar - 1).sqrt(), t, x_t)
        return scale * x_t - removed * noise

    def posterior(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Gaussian:
        r"""Posterior of the noising process, :math:`q(x_{t-1} | x_t, x_0)`, equations (10)-(12).

        .. math::
            \tilde\mu = \frac{\sqrt{\bar\alpha_{t-1}} \beta_t}{1 - \bar\alpha_t} x_0
                + \frac{\sqrt{\alpha_t} (1 - \bar\alpha_{t-1})}{1 - \bar\alpha_t} x_t, \quad
            \tilde\beta_t = \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t} \beta_t

        At t = 0 the variance is 0; its logarithm is that of t = 1.

        Args:
            x0: Images of shape (N, C, H, W).
            x_t: The same, noised, shape (N, C, H, W).
            t: Steps, shape (N,).
        """
        x0, x_t = full_precision(x0), full_precision(x_t)
        mean = self._at(self.start_share, t, x_t) * x0 + self._at(self.sample_share, t, x_t) * x_t
        log_variance = self._at(self.posterior_variance.log(), t, x_t)
        return Gaussian(mean, log_variance.expand_as(mean))

    def reverse(self, output: Tensor, x_t: Tensor, t: Tensor) -> Gaussian:
        r"""The model's :math:`p_\theta(x_{t-1} | x_t)`, equations (13) and (15).

        .. math::
            \mu = \frac{1}{\sqrt{\alpha_t}} \left( x_t
                - \frac{\beta_t}{\sqrt{1 - \bar\alpha_t}} \epsilon \right), \quad
            \Sigma = \exp(v \log \beta_t + (1 - v) \log \tilde\beta_t)

        with :math:`v = (o + 1) / 2` for the variance half ``o``: outputs of -1 and 1 are the lower
        and the upper bound of the variance. They are not enforced.

        Args:
            output: The model's output for (x_t, t), shape (N, 2C, H, W).
            x_t: Noised images, shape (N, C, H, W).
            t: Steps, shape (N,).
        """
        x_t = full_precision(x_t)
        noise, position = full_precision(output).chunk(2, dim=1)
        removed = self._at(self.betas / (1 - self.alphas_bar).sqrt(), t, x_t)
        mean = (x_t - removed * noise) * self._at((1 - self.betas).rsqrt(), t, x_t)
        largest = self._at(self.betas.log(), t, x_t)
        smallest = self._at(self.posterior_variance.log(), t, x_t)
        share = (position + 1) / 2
        return Gaussian(mean, share * largest + (1 - share) * smallest)

    def bound(self, output: Tensor, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        r"""One term of the variational bound for each image, in bits per dimension.

        Equations (4)-(6): :math:`L_t = \mathrm{KL}(q(x_{t-1} | x_t, x_0) \| p(x_{t-1} | x_t))`,
        and for t = 0 the decoder's :math:`-\log p(x_0 | x_1)`.

        Args:
            output: The model's output for (x_t, t), shape (N, 2C, H, W).
            x0: Images of shape (N, C, H, W), 8-bit values on [-1, 1].
            x_t: The same, noised, shape (N, C, H, W).
            t: Steps, shape (N,).

        Returns:
            Shape (N,).
        """
        x0 = full_precision(x0)
        model = self.reverse(output, x_t, t)
        divergence = gaussian_kl(self.posterior(x0, x_t, t), model)
        surprise = -discretized_log_likelihood(x0, model)
        nats = torch.where((t == 0).view(-1, 1, 1, 1), surprise, divergence)
        return nats.mean(dim=(1, 2, 3)) / math.log(2)

    def hybrid_terms(
        self, output: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        r"""The two parts of the hybrid loss for each image, equation (16).

        .. math::
            L_\mathrm{simple} = \mathrm{mean}\, (\epsilon - \epsilon_\theta)^2, \quad
            L_\mathrm{vlb} = \sum_t L_t \approx T\, L_t \ \text{ for a uniform } t

        The paper's :math:`L_\mathrm{vlb}` is the sum over all steps, so a single drawn term counts
        T times; with the paper's weight of 0.001 that is T/1000, as in its code. No gradient of
        the bound flows to the predicted noise: it trains the variance alone.

        Args:
            output: The model's output for (x_t, t), shape (N, 2C, H, W).
            x0: Images of shape (N, C, H, W), 8-bit values on [-1, 1].
            x_t: The same, noised, shape (N, C, H, W).
            t: Steps, shape (N,).
            noise: The noise in ``x_t``, shape (N, C, H, W).

        Returns:
            The mean squared error and the unweighted estimate of the bound (bits per dimension),
            each of shape (N,).
        """
        predicted, position = full_precision(output).chunk(2, dim=1)
        simple = ((full_precision(noise) - predicted) ** 2).mean(dim=(1, 2, 3))
        only_variance = torch.cat([predicted.detach(), position], dim=1)
        return simple, self.steps * self.bound(only_variance, x0, x_t, t)
