"""Improved DDPM as a model of MMEngine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from w2s_mm.core.registry import build_part
from w2s_mm.core.student import WeakToStrong
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

from .diffusion import GaussianDiffusion, NoiseSchedule
from .sampling import SamplingMethod, sample
from .unet import scale_timesteps


@MODELS.register_module()
class DDPM(BaseModel):
    r"""A diffusion model that predicts the noise, trained with the hybrid loss.

    .. math:: L = L_\mathrm{simple} + 0.001\, L_\mathrm{vlb}

    Equation (16) of arXiv 2102.09672; the terms are those of
    :meth:`~w2s_mm.generation.GaussianDiffusion.hybrid_terms`. With a U-Net whose output has C
    channels no variance is learned, and the loss is the first term (arXiv 2006.11239, equation
    (14)).

    Images are expected on [-1, 1], which MMEngine's ``ImgDataPreprocessor`` with mean and std 127.5
    makes of 8-bit images.

    The defaults are those of improved DDPM's code for CIFAR-10. What differs: the two points of
    :func:`~w2s_mm.generation.improved_ddpm_unet`, and sampling, which is DDIM in 50 steps, spaced
    as in that paper, instead of all 4,000.

    Args:
        unet: Config of the network, such as ``dict(type='ImprovedDDPMUNet', channels=128,
            blocks=3, image_size=32)``, or a ``UNet2DModel``.
        noise_schedule: ``'cosine'`` or ``'linear'``.
        steps: ``T``.
        vlb_weight: Weight of the variational bound, 0.001 in the paper.
        rescale_timesteps: Whether the network receives ``1000 t / T`` instead of ``t``, as in
            improved DDPM's code for CIFAR-10: with 4,000 steps ``t / 4``. The network itself
            scales the step, in its sinusoidal embedding; its input stays ``(x_t, t)``.
        timestep_sampler: Config of :class:`~w2s_mm.generation.UniformTimesteps` (the default) or
            :class:`~w2s_mm.generation.LossAwareTimesteps`, without ``steps``.
        sampling: Defaults for :meth:`sample`: ``method``, ``steps`` and
            ``use_clipped_model_output``, see :func:`~w2s_mm.generation.sampling.sample`.
        data_preprocessor: As in MMEngine's ``BaseModel``.
        init_cfg: As in MMEngine's ``BaseModel``.

    Raises:
        W2SError: An argument is out of range.
    """

    def __init__(
        self,
        unet: dict[str, Any] | nn.Module,
        noise_schedule: NoiseSchedule = 'cosine',
        steps: int = 4000,
        vlb_weight: float = 0.001,
        rescale_timesteps: bool = True,
        timestep_sampler: dict[str, Any] | None = None,
        sampling: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        checks.number('model.vlb_weight', vlb_weight, least=0)
        checks.flag('model.rescale_timesteps', rescale_timesteps)
        self.unet: Any = unet
        if not isinstance(unet, nn.Module):
            self.unet = build_part(unet, 'model.unet', 'ImprovedDDPMUNet')
        size = self.unet.config.sample_size
        if size is None:
            raise W2SError('The U-Net has no image size. Set its sample_size.')
        height, width = (size, size) if isinstance(size, int) else size
        self.image_shape = (self.unet.config.in_channels, height, width)
        channels, answered = self.image_shape[0], self.unet.config.out_channels
        if answered not in (channels, 2 * channels):
            raise W2SError(
                f'The U-Net takes {channels} channels and outputs {answered}; expected '
                f'{channels} (the noise) or {2 * channels} (noise and variance): '
                f'unet.out_channels={2 * channels}.'
            )
        self.learned_variance = answered == 2 * channels
        self.diffusion = GaussianDiffusion(noise_schedule, steps)
        if rescale_timesteps and steps != 1000:
            scale_timesteps(self.unet, 1000 / steps)
        self.vlb_weight = vlb_weight
        sampler = {'type': 'UniformTimesteps'} if timestep_sampler is None else timestep_sampler
        checks.settings('model.timestep_sampler', sampler, "dict(type='UniformTimesteps')")
        self.timestep_sampler = build_part(
            {**sampler, 'steps': steps}, 'model.timestep_sampler', 'UniformTimesteps'
        )
        if sampling is not None:
            checks.settings('model.sampling', sampling, "dict(method='ddim', steps=50)")
        self.sampling = {
            'method': 'ddim',
            'steps': min(50, steps),
            'use_clipped_model_output': True,
            **(sampling or {}),
        }

    def forward(
        self,
        inputs: Any,
        data_samples: list[Any] | None = None,
        mode: str = 'tensor',
        timesteps: Tensor | int = 0,
    ) -> Any:
        """Called by MMEngine's loops.

        Args:
            inputs: Images of shape (N, C, H, W) on [-1, 1]; N seeds in the mode ``'predict'``.
            data_samples: Ignored; generation has no labels.
            mode: ``'loss'``: see :meth:`loss`; ``'predict'``: see :meth:`predict`; ``'tensor'``:
                ``inputs`` are noised images, and the output is the network's.
            timesteps: Steps of the noised images, shape (N,), in the mode ``'tensor'``.

        Raises:
            W2SError: ``mode`` is unknown.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.unet(inputs, timesteps).sample
        raise W2SError(f"mode is {mode!r}; expected one of 'loss', 'predict', 'tensor'.")

    def loss(self, inputs: Tensor, data_samples: list[Any] | None = None) -> dict[str, Tensor]:
        """The hybrid loss at one random step for each image.

        Args:
            inputs: Images of shape (N, C, H, W), 8-bit values on [-1, 1].
            data_samples: Ignored.

        Returns:
            ``loss_mse`` and, if the variance is learned, the weighted ``loss_vlb``, scalars.

        Raises:
            W2SError: The images do not have the network's shape.
        """
        if inputs.shape[1:] != self.image_shape:
            raise W2SError(
                f'The images have the shape {tuple(inputs.shape[1:])} (C, H, W), and the U-Net '
                f'expects {self.image_shape}. Set unet.image_size and unet.in_channels, or resize '
                f'the images in the data pipeline.'
            )
        t, weight = self.timestep_sampler.draw(len(inputs), inputs.device)
        noise = torch.randn_like(inputs)
        x_t = self.diffusion.add_noise(inputs, t, noise)
        output = self.unet(x_t, t).sample
        if not self.learned_variance:
            simple = ((output.float() - noise) ** 2).mean(dim=(1, 2, 3))
            self.timestep_sampler.observe(t, simple)
            return {'loss_mse': (weight * simple).mean()}
        simple, bound = self.diffusion.hybrid_terms(output, inputs, x_t, t, noise)
        bound = self.vlb_weight * bound
        self.timestep_sampler.observe(t, simple + bound)
        return {'loss_mse': (weight * simple).mean(), 'loss_vlb': (weight * bound).mean()}

    def sample(
        self,
        count: int,
        generator: torch.Generator | list[torch.Generator] | None = None,
        method: SamplingMethod | None = None,
        steps: int | None = None,
    ) -> Tensor:
        """Sample images. Call ``eval()`` first, as dropout is not switched off here.

        Args:
            count: N.
            generator: Source of all random numbers, the default one if None; or one per image.
            method: ``'ddim'`` or ``'ancestral'``; that of ``sampling`` if None.
            steps: Evaluations of the network; that of ``sampling`` if None.

        Returns:
            Images of shape (N, C, H, W) on [-1, 1].
        """
        return sample(
            lambda x_t, t: self.unet(x_t, t).sample,
            self.diffusion,
            (count, *self.image_shape),
            method or self.sampling['method'],
            steps or self.sampling['steps'],
            generator,
            self.diffusion.betas.device,
            self.sampling['use_clipped_model_output'],
        )

    def val_step(self, data: dict[str, Any]) -> list[BaseDataElement]:
        """Call :meth:`predict` on a batch of seeds, without the data preprocessor.

        Args:
            data: Batch of :class:`~w2s_mm.generation.SamplingSeeds`.
        """
        return self._run_forward(data, mode='predict')

    def test_step(self, data: dict[str, Any]) -> list[BaseDataElement]:
        """The same as :meth:`val_step`."""
        return self.val_step(data)

    def predict(
        self, inputs: Sequence[int], data_samples: list[Any] | None = None
    ) -> list[BaseDataElement]:
        """One new image for each seed; it does not depend on the rest of the batch.

        Args:
            inputs: N seeds, for generators on the CPU. A seed gives the same noise on every device,
                and the default generators are not used.
            data_samples: Ignored.

        Returns:
            N elements with ``generated``, an image of shape (C, H, W), uint8, and ``finite``,
            whether all its values were finite before the conversion.
        """
        images = self.sample(len(inputs), [torch.Generator().manual_seed(seed) for seed in inputs])
        finite = images.isfinite().all(dim=(1, 2, 3))
        pixels = ((images.nan_to_num() + 1) * 127.5).round().to(torch.uint8)
        return [
            BaseDataElement(generated=image, finite=whole)
            for image, whole in zip(pixels, finite, strict=True)
        ]


@MODELS.register_module()
class W2SDDPM(WeakToStrong, DDPM):
    """Diffusion model as the student of a smaller, frozen one."""
