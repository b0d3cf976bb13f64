"""The blocks that a report is made of, whatever it is written as."""

from __future__ import annotations

from dataclasses import dataclass

from .runs import Run


@dataclass(frozen=True)
class Heading:
    """Title of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``lead`` is the one that a hurried reader reads."""

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
    """A picture of the learning curves at ``tau``, or with ``run`` of its gradients."""

    name: str
    caption: str
    tau: float = 0.0
    run: Run | None = None


Block = Heading | Paragraph | Table | Figure


@dataclass(frozen=True)
class Page:
    """A title and what stands below it."""

    title: str
    blocks: list[Block]
