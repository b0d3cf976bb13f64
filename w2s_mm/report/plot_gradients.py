"""The picture of the gradient norms of the two terms."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from .canvas import BASELINE, INK, OURS, canvas
from .runs import Run
from .wording import UNITS


def draw_gradients(run: Run, out: str | Path | BinaryIO, suffix: str = 'png') -> None:
    """Draw the norms of both terms' gradients and their cosine, as Figure 5b of the paper.

    Args:
        run: One with ``gradients``.
        out: File to write.
        suffix: Format, ``'png'`` or ``'svg'``.
    """
    with canvas((8, 4.4), out, suffix) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        iters = [entry['iter'] for entry in run.gradients]
        for key, label, colour in (
            ('grad_norm_base', r'$\|\nabla L_{base}\|$', BASELINE),
            ('grad_norm_distill', r'$\|\nabla\gamma\lambda L_{distill}\|$', OURS[0]),
        ):
            norms = [_number(entry[key]) for entry in run.gradients]
            top.plot(iters, norms, color=colour, linewidth=1.6, label=label)
        top.set_ylabel('gradient norm')
        top.set_ylim(bottom=0)
        top.legend(frameon=False)
        cosines = [
            _number(entry['grad_cosine']) if entry['grad_norm_distill'] else float('nan')
            for entry in run.gradients
        ]
        bottom.plot(iters, cosines, color=INK, linewidth=1.2)
        bottom.axhline(0, color=INK, linewidth=0.6, alpha=0.5)
        bottom.set_ylim(-1.05, 1.05)
        bottom.set_ylabel('cosine')
        bottom.set_xlabel(UNITS['iter'])
        for axes in (top, bottom):
            axes.grid(alpha=0.2, linewidth=0.6)


def _number(value: float | None) -> float:
    return float('nan') if value is None else value
