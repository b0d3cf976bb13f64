"""Classification: CIFAR backbones that MMPretrain lacks."""

from .backbones import CIFARDenseNet, CIFARMobileNetV2

__all__ = ['CIFARDenseNet', 'CIFARMobileNetV2']
