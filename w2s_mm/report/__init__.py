"""Reads what runs leave behind: first@tau, comparison, reports. Needs neither torch nor MM."""

from .comparison import Comparison, compare
from .evidence import Evidence, Variant, gather
from .plots import draw
from .render import write_report
from .runs import Run, load_run
from .text import as_json, as_text
from .timing import Crossing, Speedup, crossing, median_speedup, speedup

__all__ = [
    'Comparison',
    'Crossing',
    'Evidence',
    'Run',
    'Speedup',
    'Variant',
    'as_json',
    'as_text',
    'compare',
    'crossing',
    'draw',
    'gather',
    'load_run',
    'median_speedup',
    'speedup',
    'write_report',
]
