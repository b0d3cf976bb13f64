"""Image generation: improved DDPM in MMEngine, its student, and FID."""

from .ddpm import DDPM, W2SDDPM
from .diffusion import GaussianDiffusion
from .features import ClassifierFeatures, InceptionFeatures
from .fid import FID
from .noise_head import NoiseDistillHead
from .pipeline import DiffusersDDPM, export_pipeline, load_pipeline
from .sample_grid import SampleGridHook
from .sampling_seeds import SamplingLoop, SamplingSeeds
from .timesteps import LossAwareTimesteps, UniformTimesteps
from .unet import improved_ddpm_unet

__all__ = [
    'DDPM',
    'FID',
    'W2SDDPM',
    'ClassifierFeatures',
    'DiffusersDDPM',
    'GaussianDiffusion',
    'InceptionFeatures',
    'LossAwareTimesteps',
    'NoiseDistillHead',
    'SampleGridHook',
    'SamplingLoop',
    'SamplingSeeds',
    'UniformTimesteps',
    'export_pipeline',
    'improved_ddpm_unet',
    'load_pipeline',
]
