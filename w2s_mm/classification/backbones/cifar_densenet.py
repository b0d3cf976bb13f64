"""DenseNet for CIFAR, as in its paper."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.registry import MODELS
from mmpretrain.models.backbones.densenet import DenseNet
from torch import Tensor, nn

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

BLOCKS = 3


class PlainDenseLayer(nn.Module):
    """BN, ReLU and a 3x3 convolution to ``growth_rate`` channels, without a bottleneck."""

    def __init__(self, in_channels: int, growth_rate: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.act = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, growth_rate, 3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        """New features of shape (N, growth_rate, H, W) from all earlier features of the block."""
        return self.conv1(self.act(self.norm1(torch.cat(features, dim=1))))


@MODELS.register_module()
class CIFARDenseNet(DenseNet):
    """DenseNet for images of 32 pixels (arXiv 1608.06993, sections 3 and 4.2).

    Differs from MMPretrain's DenseNet in a 3x3 stem of stride 1, three blocks of equal length at
    32, 16 and 8 pixels, and optional bottlenecks. ``depth=40`` and ``depth=100`` are the paper's
    DenseNet (1.0 M and 7.0 M parameters), ``depth=100, bottleneck=True`` is its DenseNet-BC
    (0.8 M), each with a growth rate of 12. Weights are initialised as in He et al. (arXiv
    1502.01852), as in the paper.

    Use it with the neck ``GlobalAveragePooling`` and a ``LinearClsHead`` of ``out_channels`` input
    channels: 448, 1168 and 342 for these three.

    Args:
        depth: Layers with weights, including the classifier: 3 n + 4, or 6 n + 4 with bottlenecks,
            for n layers per block.
        growth_rate: Channels that every layer adds, k.
        bottleneck: DenseNet-BC: a 1x1 convolution to 4 k channels before every 3x3 one, 2 k
            channels after the stem instead of 16, and half the channels after every block.
        compression_factor: Fraction of the channels that a transition keeps, theta, in (0, 1]; by
            default 0.5 with bottlenecks and 1 without.
        init_cfg: Initialisation of the weights.

    Raises:
        W2SError: ``depth`` does not give three equal blocks, or another argument is out of range.
    """

    def __init__(
        self,
        depth: int,
        growth_rate: int = 12,
        bottleneck: bool = False,
        compression_factor: float | None = None,
        init_cfg: Any = (
            {'type': 'Kaiming', 'layer': 'Conv2d'},
            {'type': 'Constant', 'val': 1, 'layer': 'BatchNorm2d'},
        ),
    ) -> None:
        checks.whole_number('backbone.depth', depth, most=10_000)
        checks.whole_number('backbone.growth_rate', growth_rate, most=1000)
        checks.flag('backbone.bottleneck', bottleneck)
        if compression_factor is not None:
            checks.number('backbone.compression_factor', compression_factor, least=0.1, most=1)
        per_layer = BLOCKS * (2 if bottleneck else 1)
        length, rest = divmod(depth - 4, per_layer)
        if length < 1 or rest:
            raise W2SError(
                f'backbone.depth is {depth}; expected {per_layer} n + 4 with '
                f'bottleneck={bottleneck}, such as 40 or 100.'
            )
        if compression_factor is None:
            compression_factor = 0.5 if bottleneck else 1.0
        super().__init__(
            arch={
                'growth_rate': growth_rate,
                'depths': [length] * BLOCKS,
                'init_channels': 2 * growth_rate if bottleneck else 16,
            },
            compression_factor=compression_factor,
            init_cfg=list(init_cfg) if isinstance(init_cfg, tuple) else init_cfg,
        )
        self.stem = nn.Conv2d(3, self.init_channels, 3, padding=1, bias=False)
        if not bottleneck:
            for stage in self.stages:
                stage.block = nn.ModuleList(
                    PlainDenseLayer(layer.conv1.in_channels, growth_rate) for layer in stage.block
                )
        self.out_channels: int = self.transitions[-1][0].num_features
