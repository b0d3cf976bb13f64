"""What the pictures of a report have in common: colours, and a figure that is written to a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

# Okabe and Ito's palette: told apart with any colour vision, and in grey by their lightness.
BASELINE, TEACHER, INK = '#0072B2', '#009E73', '#333333'
OURS = ('#D55E00', '#CC79A7', '#E69F00', '#56B4E9', '#7A4DA0', '#8C6D31', '#000000')
DASHES: tuple[Any, ...] = ('-', (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))


@contextmanager
def canvas(size: tuple[float, float], out: str | Path | BinaryIO, suffix: str) -> Iterator[Any]:
    """A matplotlib figure that is written to ``out`` when the context closes."""
    # pyplot would choose a window system; a Figure draws with Agg everywhere.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style: Any = {'font.size': 11, 'axes.spines.top': False, 'axes.spines.right': False}
    # Letters as shapes look the same on every machine; the same input gives the same file.
    with rc_context({**style, 'svg.fonttype': 'path', 'svg.hashsalt': 'w2s_mm'}):
        figure = Figure(figsize=size, layout='constrained')
        yield figure
        if isinstance(out, (str, Path)):
            Path(out).parent.mkdir(parents=True, exist_ok=True)
        metadata = {'Date': None} if suffix == 'svg' else None
        figure.savefig(out, format=suffix, dpi=150, metadata=metadata)
