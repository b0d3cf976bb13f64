"""The picture of the speedup against the strength of the teacher, as the paper's Figure 3."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import mean
from typing import Any, BinaryIO, NamedTuple

from .canvas import INK, OURS, TEACHER, canvas
from .comparison import Comparison
from .levels import NEARLY_FINAL, target
from .statistics import Speedup, final_and_best, mean_run
from .study import Study

WEAKEST = 15.0  # % below the baseline: the paper's lower end of what is suitable


class BandPoint(NamedTuple):
    """A variant in the figure.

    Attributes:
        name: Its name.
        gap: How much better its teacher is than the finished baseline, in % of the baseline;
            negative for a weaker one.
        levels: Its comparisons at the target and at 95 % of the baseline's final metric.
    """

    name: str
    gap: float
    levels: tuple[Comparison, Comparison]


def band_points(study: Study, tau: float) -> list[BandPoint]:
    """The variants with a teacher, the weakest first; none without a finished baseline."""
    if not study.baseline or not all(run.history for run in study.baseline.runs):
        return []
    finished = final_and_best(mean_run(study.baseline.runs))[0]
    sign = 1 if study.runs[0].rule == 'greater' else -1
    points = []
    for variant in study.variants:
        references = [run.reference for run in variant.runs if run.reference is not None]
        if references and finished > 0:
            gap = 100 * sign * (mean(references) - finished) / finished
            levels = (study.compare(variant, target(tau)), study.compare(variant, NEARLY_FINAL))
            points.append(BandPoint(variant.name, gap, levels))
    return sorted(points, key=lambda point: point.gap)


def has_band(study: Study) -> bool:
    """Whether there are at least three teachers of different strength."""
    return len({round(point.gap) for point in band_points(study, study.taus[0])}) > 2


def draw_band(
    study: Study, tau: float, out: str | Path | BinaryIO, suffix: str = 'png', narrow: bool = False
) -> None:
    """Draw the speedup of each variant against the strength of its teacher.

    Large: mean curves; small: pairs; triangles: bounds, where a run never reaches the level. The
    band of suitable teachers is shaded.

    Args:
        study: One with a baseline and several teachers.
        tau: The target.
        out: File to write.
        suffix: Format, ``'png'`` or ``'svg'``.
        narrow: Draw for a phone.
    """
    points = band_points(study, tau)
    looks = ((OURS[0], 'target'), (INK, "95 % of the baseline's final metric"))
    with canvas((4.3, 4) if narrow else (8, 3.6), out, suffix) as figure:
        axes = figure.subplots()
        axes.axhline(1, color=INK, linewidth=1)
        axes.axvspan(-WEAKEST, 0, color=TEACHER, alpha=0.12, linewidth=0, label='suitable')
        for number, (colour, label) in enumerate(looks):
            for point in points:
                c = point.levels[number]
                for pair in c.pairs:
                    _mark(axes, point.gap, pair.speedup, colour, 4, 0.4)
                _mark(axes, point.gap, c.mean.speedup if c.mean else None, colour, 9, 1.0)
            axes.plot([], [], 'o', color=colour, label=label)
        axes.set_ylim(bottom=0)
        axes.set_xlabel('teacher: better than the finished baseline by (%)')
        axes.set_ylabel('speedup')
        axes.grid(alpha=0.2, linewidth=0.6)
        figure.legend(loc='outside lower center', ncols=3, frameon=False, fontsize=9.5)


def _mark(
    axes: Any, gap: float, ratio: Speedup | None, colour: str, size: float, alpha: float
) -> None:
    """A dot; for a bound, a triangle in the direction of the true value."""
    if ratio is None:
        return
    value, marker = ratio.low, 'o'
    if not ratio.exact:
        value, marker = (ratio.low, '^') if ratio.low > 0 else (ratio.high, 'v')
    if 0 < value < math.inf:
        axes.plot(
            [gap], [value], marker, color=colour, markersize=size, alpha=alpha, markeredgewidth=0
        )
