"""Residual blocks that begin as the identity."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def identity_values(block: nn.Module) -> dict[str, Tensor] | None:
    """The weights that make a residual block return its input; all others stay as they are.

    The last layer of the branch is zero, as in Fixup and in ``zero_init_residual``: its own
    gradient is not. A 1x1 convolution in place of the shortcut becomes the identity of the first
    channels, and ignores those of a skip connection behind them.

    Args:
        block: A block of a ResNet (MMDetection, MMPretrain), of a ViT (MMPretrain) or of a U-Net
            (diffusers).

    Returns:
        Values by name in the block's state dict; None where the block cannot be the identity.
    """
    rule = _RULES.get(type(block).__name__)
    return None if rule is None else rule(block)


def _zeros(block: nn.Module, *paths: str) -> dict[str, Tensor]:
    return {
        f'{path}.{name}': torch.zeros_like(value)
        for path in paths
        for name, value in block.get_submodule(path).named_parameters()
    }


def _resnet(block: Any) -> dict[str, Tensor] | None:
    if block.downsample is not None:
        return None
    return _zeros(block, getattr(block, 'norm3_name', block.norm2_name))


def _vit(block: Any) -> dict[str, Tensor]:
    linear = [name for name, m in block.ffn.named_modules() if isinstance(m, nn.Linear)]
    return _zeros(block, 'attn.proj', f'ffn.{linear[-1]}')


def _unet(block: Any) -> dict[str, Tensor]:
    values = _zeros(block, 'conv2')
    shortcut = block.conv_shortcut
    if shortcut is not None:
        weight = torch.zeros_like(shortcut.weight)
        weight[:, :, 0, 0].fill_diagonal_(1)
        values |= {**_zeros(block, 'conv_shortcut'), 'conv_shortcut.weight': weight}
    return values


def _attention(block: Any) -> dict[str, Tensor] | None:
    return _zeros(block, 'to_out.0') if block.residual_connection else None


_RULES: dict[str, Any] = {
    'BasicBlock': _resnet,
    'Bottleneck': _resnet,
    'TransformerEncoderLayer': _vit,
    'ResnetBlock2D': _unet,
    'Attention': _attention,
}
