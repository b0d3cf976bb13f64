"""MobileNetV2 with the strides that are usual for CIFAR."""

from __future__ import annotations

from typing import Any

from mmengine.registry import MODELS
from mmpretrain.models.backbones.mobilenet_v2 import MobileNetV2


@MODELS.register_module()
class CIFARMobileNetV2(MobileNetV2):
    """MobileNetV2 (arXiv 1801.04381) for images of 32 pixels.

    Stem and second stage have stride 1 instead of 2, as is usual for CIFAR, so the last map is 4x4
    instead of 1x1. Weights have the same names as in MMPretrain's MobileNetV2.

    Args:
        **kwargs: Arguments of MMPretrain's MobileNetV2.
    """

    arch_settings = [  # expansion, channels, blocks, stride
        MobileNetV2.arch_settings[0],
        [6, 24, 2, 1],
        *MobileNetV2.arch_settings[2:],
    ]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv1.conv.stride = self.conv1.stride = (1, 1)  # the base class has a fixed 2
