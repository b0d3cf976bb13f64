"""Reads the files of runs: first@tau, comparisons, reports. Needs neither torch nor MM."""

from .archive import Archive, read_archive, save_study
from .comparison import Comparison, compare
from .gather import gather
from .levels import FINAL, NEARLY_FINAL, TEACHER, Level, target
from .plot_curves import draw
from .render import as_json, update_page, write_report
from .runs import Run, load_run
from .statistics import Crossing, Speedup, crossing, median_speedup, speedup
from .study import Study, Variant
from .text import as_text

__all__ = [
    'FINAL',
    'NEARLY_FINAL',
    'TEACHER',
    'Archive',
    'Comparison',
    'Crossing',
    'Level',
    'Run',
    'Speedup',
    'Study',
    'Variant',
    'as_json',
    'as_text',
    'compare',
    'crossing',
    'draw',
    'gather',
    'load_run',
    'median_speedup',
    'read_archive',
    'save_study',
    'speedup',
    'target',
    'update_page',
    'write_report',
]
