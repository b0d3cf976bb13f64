"""Detection: distilled MMDetection detectors, their distill heads and losses."""

from .dense_head import DenseDistillHead
from .detectors import W2SRetinaNet
from .losses import BoxDistillLoss, FocalLogitDistillLoss

__all__ = ['BoxDistillLoss', 'DenseDistillHead', 'FocalLogitDistillLoss', 'W2SRetinaNet']
