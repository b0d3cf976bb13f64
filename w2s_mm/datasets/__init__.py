"""Data sets that need no download, and reproducible subsets of COCO."""

from w2s_mm.datasets.digit_scenes import CLASSES, write_digit_scenes
from w2s_mm.datasets.digit_scenes_figure import digit_scenes_figure

__all__ = ['CLASSES', 'digit_scenes_figure', 'write_digit_scenes']
