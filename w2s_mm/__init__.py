"""Weak-to-strong distillation for the MM stack: reach a target metric earlier (arXiv 2604.15451).

Shapes in docstrings use this legend: N images, C classes, A anchors per location,
L levels, R RoIs or priors, K channels, H and W height and width.
"""

__version__ = '0.2.0.dev0'
