"""Distillation losses, one signal a file, in MM's form ``(pred, target, weight, avg_factor)``.

They know no task and no schedule, and select nothing: a distill head does. Losses that the MM
stack has already (``mmdet.L1Loss``, ``mmdet.GIoULoss``) are used from there.
"""

from .focal_logit import FocalLogitDistillLoss
from .kl import KLDistillLoss, softmax_kl
from .labels import takes_labels
from .reduction import reduced
from .squared_error import SquaredErrorDistillLoss
from .temperature import tempered

__all__ = [
    'FocalLogitDistillLoss',
    'KLDistillLoss',
    'SquaredErrorDistillLoss',
    'reduced',
    'softmax_kl',
    'takes_labels',
    'tempered',
]
