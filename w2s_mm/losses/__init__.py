"""Distillation losses: ``(pred, target, weight, avg_factor)``, one signal a file."""
