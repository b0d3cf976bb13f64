"""Detection: distilled MMDetection detectors, their distill heads, box codes and score codes."""

from .box_codes import BoxCode, box_code
from .dense_head import DenseDistillHead
from .detectors import (
    W2SATSS,
    W2SDDOD,
    W2SFCOS,
    W2SFOVEA,
    W2SFSAF,
    W2SGFL,
    W2SNASFCOS,
    W2SPAA,
    W2STOOD,
    W2SYOLACT,
    W2SYOLOF,
    W2SYOLOX,
    W2SCascadeRCNN,
    W2SFasterRCNN,
    W2SMaskRCNN,
    W2SRetinaNet,
    W2SRTMDet,
    W2SSingleStageDetector,
    W2SVFNet,
)
from .localization_head import LocalizationDistillHead
from .roi_head import RoIDistillHead
from .score_codes import ScoreCode, score_code

__all__ = [
    'W2SATSS',
    'W2SDDOD',
    'W2SFCOS',
    'W2SFOVEA',
    'W2SFSAF',
    'W2SGFL',
    'W2SNASFCOS',
    'W2SPAA',
    'W2STOOD',
    'W2SYOLACT',
    'W2SYOLOF',
    'W2SYOLOX',
    'BoxCode',
    'DenseDistillHead',
    'LocalizationDistillHead',
    'RoIDistillHead',
    'ScoreCode',
    'W2SCascadeRCNN',
    'W2SFasterRCNN',
    'W2SMaskRCNN',
    'W2SRTMDet',
    'W2SRetinaNet',
    'W2SSingleStageDetector',
    'W2SVFNet',
    'box_code',
    'score_code',
]
