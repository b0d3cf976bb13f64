"""Detection: distilled MMDetection detectors, their distill heads and box codes."""

from .box_codes import BoxCode, box_code
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
    'BoxCode',
    'DenseDistillHead',
    'RoIDistillHead',
    'W2SCascadeRCNN',
    'W2SFasterRCNN',
    'W2SMaskRCNN',
    'W2SRTMDet',
    'W2SRetinaNet',
    'box_code',
]
