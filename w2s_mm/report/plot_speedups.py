"""The picture of the speedup at every target, not only at the chosen one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import BinaryIO

from .canvas import DASHES, INK, OURS, TEACHER, canvas
from .levels import FINAL, target
from .runs import Run
from .statistics import crossing, final_and_best, mean_run, speedup
from .study import Study
from .wording import metric_name, metric_scale

_POINTS = 80  # targets
_EARLY = (
    0.1  # part of the run whose values are left out: a validation more or less is a factor there
)


def draw_speedups(
    study: Study, tau: float, out: str | Path | BinaryIO, suffix: str = 'png', narrow: bool = False
) -> None:
    """Draw the speedup in iterations against the target.

    Bold: mean curves; thin: each pair, where there is one variant. A line ends where one of the two
    runs never reaches the target.

    Args:
        study: One with a baseline.
        tau: The target of the headline, marked.
        out: File to write.
        suffix: Format, ``'png'`` or ``'svg'``.
        narrow: Draw for a phone.
    """
    metric, scale = study.runs[0].metric, metric_scale(study.runs[0].metric)
    taus = _targets(study)
    with canvas((4.3, 4) if narrow else (8, 3.6), out, suffix) as figure:
        axes = figure.subplots()
        axes.axhline(1, color=INK, linewidth=1)
        for index, variant in enumerate(study.variants):
            c = study.compare(variant, target(tau))
            several = len(study.variants) > 1
            look = {
                'color': OURS[index % len(OURS)],
                'linestyle': DASHES[index % len(DASHES)] if several else '-',
            }
            for pair in () if several else c.pairs:
                if pair.baseline and pair.ours and len(c.pairs) > 1:
                    ratios = _ratios(study, pair.baseline, pair.ours, taus)
                    axes.plot([scale * t for t in taus], ratios, **look, linewidth=0.8, alpha=0.45)
            if c.mean and c.mean.baseline and c.mean.ours:
                ratios = _ratios(study, c.mean.baseline, c.mean.ours, taus)
                axes.plot(
                    [scale * t for t in taus], ratios, **look, linewidth=2.4, label=variant.name
                )
        for value, text, colour in _marks(study, tau):
            axes.axvline(scale * value, color=colour, linewidth=1.2, linestyle=(0, (1, 1.5)))
            axes.annotate(
                text,
                (scale * value, 1),
                xycoords=('data', 'axes fraction'),
                xytext=(-3, -4),
                textcoords='offset points',
                rotation=90,
                ha='right',
                va='top',
                color=colour,
                fontsize=9,
            )
        if study.runs[0].rule == 'less':
            axes.invert_xaxis()
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f'target, {metric_name(metric)}{" (%)" if scale == 100 else ""}')
        axes.set_ylabel('speedup')
        axes.grid(alpha=0.2, linewidth=0.6)
        if len(study.variants) > 1:
            figure.legend(loc='outside lower center', ncols=3, frameon=False, fontsize=9.5)


def _targets(study: Study) -> list[float]:
    """Values between the early part of the baseline's mean curve and its best."""
    runs = [run for run in study.baseline.runs if run.history] if study.baseline else []
    if not runs:
        return []
    mean = mean_run(runs)
    values = [value for value in mean.values if not math.isnan(value)]
    if not values:
        return []
    first, best = values[int(_EARLY * len(values))], final_and_best(mean)[1]
    return [first + (best - first) * i / (_POINTS - 1) for i in range(_POINTS)]


def _ratios(study: Study, baseline: Run, ours: Run, taus: list[float]) -> list[float]:
    """Speedups, NaN where one of the runs does not reach the target."""
    found = []
    for tau in taus:
        ratio = speedup(
            crossing(baseline, tau, sustained=study.sustained),
            crossing(ours, tau, sustained=study.sustained),
        )
        found.append(ratio.low if ratio.exact else math.nan)
    return found


def _marks(study: Study, tau: float) -> list[tuple[float, str, str]]:
    marks = [(tau, 'target', INK)]
    references = {run.reference for run in study.runs if run.reference is not None}
    marks += [(value, 'teacher', TEACHER) for value in references]
    c = study.compare(study.variants[0], FINAL)
    if c.mean and c.mean.tau is not None:
        marks.append((c.mean.tau, "baseline's final", INK))
    return marks
