"""Data sets that come with the package; importing this needs no torch."""

from w2s_mm.datasets.digit_scenes import CLASSES, digit_scenes_figure, write_digit_scenes

__all__ = ['CLASSES', 'digit_scenes_figure', 'write_digit_scenes']
