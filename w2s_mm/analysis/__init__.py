"""Reads what runs leave behind: first@tau, comparison, pictures. Needs neither torch nor MM."""

from .compare import Comparison, Speedup, compare, crossing, median_speedup, speedup
from .plots import draw
from .report import as_json, as_text
from .runs import Run, load_run

__all__ = [
    'Comparison',
    'Run',
    'Speedup',
    'as_json',
    'as_text',
    'compare',
    'crossing',
    'draw',
    'load_run',
    'median_speedup',
    'speedup',
]
