"""Image generation: improved-DDPM training in MMEngine."""

from .ddpm import DDPM
from .diffusion import GaussianDiffusion
from .timesteps import LossAwareTimesteps, UniformTimesteps
from .unet import improved_ddpm_unet

__all__ = [
    'DDPM',
    'GaussianDiffusion',
    'LossAwareTimesteps',
    'UniformTimesteps',
    'improved_ddpm_unet',
]
