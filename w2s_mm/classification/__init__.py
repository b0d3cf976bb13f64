"""Classification: student, distill head, torchvision teachers and CIFAR backbones."""

from .backbones import CIFARDenseNet, CIFARMobileNetV2
from .classifiers import TorchvisionClassifier, W2SImageClassifier
from .logit_head import LogitDistillHead

__all__ = [
    'CIFARDenseNet',
    'CIFARMobileNetV2',
    'LogitDistillHead',
    'TorchvisionClassifier',
    'W2SImageClassifier',
]
