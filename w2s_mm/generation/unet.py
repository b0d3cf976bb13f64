"""The U-Net of improved DDPM (nc128-rb3 and so on), from diffusers' blocks."""

from __future__ import annotations

from collections.abc import Sequence

from diffusers import UNet2DModel
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import Timesteps
from diffusers.models.resnet import ResnetBlock2D
from mmengine.registry import MODELS
from torch import nn

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

# Channels of each resolution, from the image's own down to 4 px, in multiples of the base. That of
# 32 px is the paper's for CIFAR-10; the others are its first levels.
MULTIPLIERS = {32: (1, 2, 2, 2), 16: (1, 2, 2), 8: (1, 2)}
HEADS = 4  # of attention, at levels with twice the base channels


@MODELS.register_module(name='ImprovedDDPMUNet')
def improved_ddpm_unet(
    channels: int,
    blocks: int,
    image_size: int,
    in_channels: int = 3,
    dropout: float = 0.3,
    learned_variance: bool = True,
    attention: Sequence[int] = (16, 8),
    multipliers: Sequence[int] | None = None,
) -> UNet2DModel:
    """The U-Net ``nc<channels>-rb<blocks>`` of improved DDPM (arXiv 2102.09672, section 2.4).

    ``blocks`` residual blocks per resolution; attention with four heads after each block at 16 and
    8 px and in the middle; the noising step scales and shifts every group norm. The last layer, and
    that of every residual and attention block, is initialised to zero, as in the paper's code.

    ``UNet2DModel`` differs from the paper in two ways: an attention head has ``channels / 2``
    channels everywhere, so there are four heads only at levels with twice the base channels (all
    levels with attention at 32 px); and below 64 base channels the group norms have groups of 4
    channels, where the paper's 32 groups would have a single one.

    Args:
        channels: Base channels X; a multiple of 32, or, below 64, of 8.
        blocks: Residual blocks Y per resolution.
        image_size: Height and width of the images.
        in_channels: C of the images.
        dropout: Dropout in the residual blocks; 0.3 in the paper's best CIFAR-10 model.
        learned_variance: Whether the output has 2C channels, the second half for the variance.
        attention: Resolutions (in pixels) with attention.
        multipliers: Channels of each resolution in multiples of ``channels``; each resolution is
            half the one before. By default that of :data:`MULTIPLIERS` for this size.

    Returns:
        A plain ``UNet2DModel``: ``unet(x_t, t).sample`` has the shape (N, 2C, H, W).

    Raises:
        W2SError: An argument is out of range.
    """
    for name, value, most in (
        ('channels', channels, 4096),
        ('blocks', blocks, 64),
        ('image_size', image_size, 4096),
        ('in_channels', in_channels, 4096),
    ):
        checks.whole_number(f'unet.{name}', value, most=most)
    checks.number('unet.dropout', dropout, least=0, below=1)
    checks.flag('unet.learned_variance', learned_variance)
    for name, numbers in (('attention', attention), ('multipliers', multipliers)):
        if numbers is not None or name == 'attention':
            checks.several(f'unet.{name}', numbers, checks.whole_number)
    multipliers = _multipliers(image_size, multipliers)
    unit = 32 if channels >= 64 else 8
    if channels < 8 or channels % unit:
        raise W2SError(
            f'unet.channels is {channels}; expected a multiple of 8 below 64, or a multiple of 32 '
            f'(the paper has 64, 128 and 160).'
        )
    groups = 32 if channels >= 64 else channels // 4
    attends = [image_size >> level in attention for level in range(len(multipliers))]
    unet = UNet2DModel(
        sample_size=image_size,
        in_channels=in_channels,
        out_channels=in_channels * (2 if learned_variance else 1),
        block_out_channels=tuple(channels * m for m in multipliers),
        layers_per_block=blocks,
        down_block_types=tuple('AttnDownBlock2D' if a else 'DownBlock2D' for a in attends),
        up_block_types=tuple('AttnUpBlock2D' if a else 'UpBlock2D' for a in reversed(attends)),
        dropout=dropout,
        attention_head_dim=2 * channels // HEADS,
        norm_num_groups=groups,
        attn_norm_num_groups=groups,  # otherwise the attention in the middle has no norm
        resnet_time_scale_shift='scale_shift',
    )
    _begin_at_zero(unet)
    return unet


def scale_timesteps(unet: nn.Module, scale: float) -> None:
    """Make a network embed ``scale * t`` for a step ``t``; no weight changes.

    Args:
        unet: A ``UNet2DModel``.
        scale: The factor.

    Raises:
        W2SError: The network's embedding of the step is not sinusoidal.
    """
    embedding = getattr(unet, 'time_proj', None)
    if not isinstance(embedding, Timesteps):
        raise W2SError(
            f'The time_proj of the {type(unet).__name__} is a {type(embedding).__name__}, whose '
            f'steps cannot be rescaled; expected sinusoids (time_embedding_type positional). To '
            f'train it with the steps themselves: model.rescale_timesteps=False.'
        )
    embedding.scale = scale


def _multipliers(image_size: int, given: Sequence[int] | None) -> tuple[int, ...]:
    """The given multipliers, or the default ones for this size.

    Raises:
        W2SError: There are none, or the image cannot be halved that often.
    """
    if given is None and image_size not in MULTIPLIERS:
        raise W2SError(
            f'No U-Net layout is known for images of {image_size} px (known: '
            f'{", ".join(map(str, MULTIPLIERS))}). Set unet.multipliers, such as (1, 2, 2): one '
            f'number per resolution; image_size is halved between two resolutions.'
        )
    multipliers = tuple(MULTIPLIERS[image_size] if given is None else given)
    if not multipliers or min(multipliers) < 1:
        raise W2SError(f'unet.multipliers is {multipliers}; expected numbers of at least 1.')
    halvings = len(multipliers) - 1
    if image_size < 1 or image_size % 2**halvings:
        raise W2SError(
            f'unet.image_size is {image_size}, and {len(multipliers)} multipliers halve it '
            f'{halvings} times; expected a multiple of {2**halvings}. Use fewer multipliers, or '
            f'resize the images.'
        )
    return multipliers


def _begin_at_zero(unet: UNet2DModel) -> None:
    last: list[nn.Module] = [unet.conv_out]
    last += [module.conv2 for module in unet.modules() if isinstance(module, ResnetBlock2D)]
    last += [module.to_out[0] for module in unet.modules() if isinstance(module, Attention)]
    for layer in last:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
