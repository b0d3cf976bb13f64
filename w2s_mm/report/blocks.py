"""What a report consists of; HTML and Markdown are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .runs import Run


@dataclass(frozen=True)
class Heading:
    """Title of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``lead`` marks the one with the result."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption."""

    caption: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Figure:
    """A picture: curves, speedups or teachers at ``tau``, or the gradient norms of ``run``."""

    kind: Literal['curves', 'speedups', 'band', 'gradients']
    name: str
    caption: str
    tau: float = 0.0
    run: Run | None = None


Block = Heading | Paragraph | Table | Figure


@dataclass(frozen=True)
class Page:
    """A title and the blocks below it."""

    title: str
    blocks: list[Block]
