"""Distillation losses, called as ``loss(pred, target, weight, avg_factor)`` like MM's own.

They are independent of task and schedule; a distill head selects the predictions. Losses that the
MM stack provides (``mmdet.L1Loss``, ``mmdet.GIoULoss``) are used from there.
"""

from .activation import Activation, check_activation
from .balanced_kl import BalancedKLDistillLoss
from .bernoulli import bernoulli_entropy, bernoulli_kl
from .curriculum_temperature import CurriculumTemperatureLoss
from .decoupled import DecoupledDistillLoss
from .focal_logit import FocalLogitDistillLoss
from .hard_label import HardLabelDistillLoss
from .kl import KLDistillLoss, softmax_kl
from .labels import takes_labels
from .reduction import RowLoss, reduced
from .relations import RelationDistillLoss
from .squared_error import SquaredErrorDistillLoss
from .standardized import StandardizedDistillLoss, standardized
from .temperature import tempered
from .wrapper import LossWrapper

__all__ = [
    'Activation',
    'BalancedKLDistillLoss',
    'CurriculumTemperatureLoss',
    'DecoupledDistillLoss',
    'FocalLogitDistillLoss',
    'HardLabelDistillLoss',
    'KLDistillLoss',
    'LossWrapper',
    'RelationDistillLoss',
    'RowLoss',
    'SquaredErrorDistillLoss',
    'StandardizedDistillLoss',
    'bernoulli_entropy',
    'bernoulli_kl',
    'check_activation',
    'reduced',
    'softmax_kl',
    'standardized',
    'takes_labels',
    'tempered',
]
