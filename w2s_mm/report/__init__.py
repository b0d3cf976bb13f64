"""Reads the files of runs: first@tau, comparisons, reports. Needs neither torch nor MM."""

from .archive import Archive, read_archive, save_study
from .comparison import Comparison, compare
from .plots import draw
from .render import as_json, update_page, write_report
from .runs import Run, load_run
from .statistics import Crossing, Speedup, crossing, median_speedup, speedup
from .study import Study, Variant, gather
from .text import as_text

__all__ = [
    'Archive',
    'Comparison',
    'Crossing',
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
    'update_page',
    'write_report',
]
