"""Backbones for images of 32 pixels. For ResNets use MMPretrain's ``ResNet_CIFAR``."""

from .cifar_densenet import CIFARDenseNet
from .cifar_mobilenet_v2 import CIFARMobileNetV2

__all__ = ['CIFARDenseNet', 'CIFARMobileNetV2']
