"""Hooks: time of distillation, exact resume, time to target."""

from .exact_resume import ExactResumeHook
from .time_to_target import TimeToTargetHook
from .weak_to_strong import WeakToStrongHook

__all__ = ['ExactResumeHook', 'TimeToTargetHook', 'WeakToStrongHook']
