"""Sampling with diffusers' schedulers, in any number of steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from w2s_mm.utils.errors import W2SError

from .diffusion import GaussianDiffusion, linear_range

SamplingMethod = Literal['ddim', 'ancestral']
DIFFUSERS_SCHEDULES = {'linear': 'linear', 'cosine': 'squaredcos_cap_v2'}


def scheduler_arguments(diffusion: GaussianDiffusion) -> dict[str, Any]:
    """The noise schedule as arguments of diffusers' schedulers."""
    first, last = linear_range(diffusion.steps)
    return {
        'num_train_timesteps': diffusion.steps,
        'beta_schedule': DIFFUSERS_SCHEDULES[diffusion.schedule],
        'beta_start': first,
        'beta_end': last,
        'prediction_type': 'epsilon',
    }


def spaced_steps(total: int, count: int) -> Tensor:
    """``count`` of ``total`` steps, evenly spaced, including first and last, in falling order.

    The spacing of arXiv 2102.09672, section 4.

    Args:
        total: ``T``.
        count: Number of steps.

    Returns:
        Steps, int64, shape (count,).

    Raises:
        W2SError: ``count`` is not between 2 and ``total``.
    """
    if not isinstance(count, int) or not 2 <= count <= total:
        raise W2SError(
            f'The number of sampling steps is {count!r}; expected a whole number from 2 to {total} '
            f'(the steps of the noise schedule that the model was trained with).'
        )
    return torch.from_numpy(np.linspace(0, total - 1, count).round()[::-1].astype(np.int64))


@torch.no_grad()
def sample(
    network: Callable[[Tensor, Tensor], Tensor],
    diffusion: GaussianDiffusion,
    shape: tuple[int, int, int, int],
    method: SamplingMethod = 'ddim',
    steps: int = 50,
    generator: torch.Generator | list[torch.Generator] | None = None,
    device: torch.device | str = 'cpu',
    use_clipped_model_output: bool = True,
) -> Tensor:
    """Sample images, starting from pure noise; predicted images are clipped to [-1, 1].

    Args:
        network: Takes noised images (N, C, H, W) and steps (N,) and returns the noise
            (N, C, H, W), or noise and variance (N, 2C, H, W).
        diffusion: The process that the network was trained with.
        shape: (N, C, H, W).
        method: ``'ancestral'`` samples from the model's Gaussians step by step (arXiv 2006.11239,
            algorithm 2; with the learned variance if there is one); ``'ddim'`` samples the first
            noise only (arXiv 2010.02502, eta = 0).
        steps: Evaluations of the network, 2 to T.
        generator: Source of all random numbers, the default one if None. A CPU generator gives the
            same noise on every device. With a list of N, image n depends on the n-th alone.
        device: Device of the network.
        use_clipped_model_output: Whether ``'ddim'`` goes on with the noise that leads from ``x_t``
            to the clipped image, as improved DDPM's code does, or with the predicted noise, the
            default of diffusers. They are the same where nothing is clipped.

    Returns:
        Images of shape (N, C, H, W) on [-1, 1].

    Raises:
        W2SError: ``method`` is unknown, or ``steps`` is out of range.
    """
    if method not in get_args(SamplingMethod):
        raise W2SError(f'method is {method!r}; expected one of {get_args(SamplingMethod)}.')
    trained_steps = spaced_steps(diffusion.steps, steps)
    x = randn_tensor(shape, generator=generator, device=torch.device(device))
    channels = shape[1]
    scheduler: Any = None
    for index, t in enumerate(trained_steps.tolist()):
        output = network(x, torch.full(shape[:1], t, device=x.device)).to(x.dtype)
        if method == 'ancestral':
            if scheduler is None:
                scheduler = ancestral_scheduler(diffusion, output.shape[1] == 2 * channels)
                scheduler.set_timesteps(steps)
            stepped = scheduler.step(output, t, x, generator)
        else:
            if scheduler is None:
                scheduler = _ddim(diffusion, trained_steps)
            stepped = scheduler.step(
                output[:, :channels],
                steps - 1 - index,
                x,
                use_clipped_model_output=use_clipped_model_output,
            )
        x = stepped.prev_sample
    return x.clamp(-1, 1)


def ancestral_scheduler(diffusion: GaussianDiffusion, learned_variance: bool) -> DDPMScheduler:
    """The scheduler of ancestral sampling and of an exported model."""
    return DDPMScheduler(
        **scheduler_arguments(diffusion),
        variance_type='learned_range' if learned_variance else 'fixed_small',
        timestep_spacing='linspace',
    )


def _ddim(diffusion: GaussianDiffusion, trained_steps: Tensor) -> DDIMScheduler:
    """A scheduler for a process with these steps only, counted from 0.

    ``DDIMScheduler`` assumes that the step before t is t - T // steps. That is the next evaluation
    only if ``steps`` divides T; here it always is.
    """
    count = len(trained_steps)
    scheduler = DDIMScheduler(count)
    scheduler.alphas_cumprod = diffusion.alphas_bar.cpu()[trained_steps.flip(0)].float()
    scheduler.set_timesteps(count)
    return scheduler
