"""The weights of a weaker model as the start of a stronger one: inherited, or grown."""

from .difference import Difference, largest_difference
from .grow import grow
from .inherit import inherit
from .parts import Selection, select
from .source import StartSource, class_layers

__all__ = [
    'Difference',
    'Selection',
    'StartSource',
    'class_layers',
    'grow',
    'inherit',
    'largest_difference',
    'select',
]
