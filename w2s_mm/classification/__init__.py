"""Classification: student, distill heads, torchvision teachers and CIFAR backbones."""

from .backbones import CIFARDenseNet, CIFARMobileNetV2
from .classifiers import TorchvisionClassifier, W2SImageClassifier
from .logit_head import LogitDistillHead
from .selection_head import SelectionHead

__all__ = [
    'CIFARDenseNet',
    'CIFARMobileNetV2',
    'LogitDistillHead',
    'SelectionHead',
    'TorchvisionClassifier',
    'W2SImageClassifier',
]
