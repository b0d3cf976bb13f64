"""Hooks: distillation, start, exact resume, time to target, gradient norms and run records."""

from .exact_resume import ExactResumeHook
from .gradient_norms import GradientNormHook
from .run_record import RunRecordHook
from .start import StartHook
from .time_to_target import TimeToTargetHook
from .weak_to_strong import WeakToStrongHook

__all__ = [
    'ExactResumeHook',
    'GradientNormHook',
    'RunRecordHook',
    'StartHook',
    'TimeToTargetHook',
    'WeakToStrongHook',
]
