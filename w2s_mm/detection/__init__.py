"""Detection: distilled MMDetection detectors, their distill heads and losses."""

from w2s_mm.losses.detection import BoxDistillLoss, FocalLogitDistillLoss, SoftmaxKLDistillLoss

from .dense_head import DenseDistillHead
from .detectors import (
    W2SATSS,
    W2SFCOS,
    W2SGFL,
    W2SCascadeRCNN,
    W2SFasterRCNN,
    W2SMaskRCNN,
    W2SRetinaNet,
    W2SRTMDet,
)
from .roi_head import RoIDistillHead

__all__ = [
    'W2SATSS',
    'W2SFCOS',
    'W2SGFL',
    'BoxDistillLoss',
    'DenseDistillHead',
    'FocalLogitDistillLoss',
    'RoIDistillHead',
    'SoftmaxKLDistillLoss',
    'W2SCascadeRCNN',
    'W2SFasterRCNN',
    'W2SMaskRCNN',
    'W2SRTMDet',
    'W2SRetinaNet',
]
