"""The picture of the learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .canvas import BASELINE, DASHES, INK, OURS, TEACHER, canvas
from .runs import Clock, Run
from .sentences import title
from .statistics import Crossing, band, crossing, mean_run
from .study import Study
from .wording import UNITS, crossing_text, metric_name, metric_scale


@dataclass(frozen=True)
class _Side:
    """One configuration in the picture."""

    label: str
    runs: list[Run]
    colour: str
    dash: Any
    mean: Run
    at: Crossing  # of the mean
    ats: list[Crossing]  # of the runs


def draw(
    study: Study,
    tau: float,
    out: str | Path | BinaryIO,
    *,
    clock: Clock = 'iter',
    narrow: bool = False,
    titled: bool = True,
    suffix: str = 'png',
) -> None:
    """Draw the learning curves of a baseline and its variants.

    With one variant every seed is drawn; with several, the mean and the range of the seeds of each.

    Args:
        study: What to draw.
        tau: The target.
        out: File to write; its directory is created.
        clock: Unit of time.
        narrow: Draw for a phone.
        titled: Put the result above it, for a picture that is shown alone.
        suffix: Format, ``'png'`` or ``'svg'``.
    """
    sides = _sides(study, tau, clock)
    weighted = [side for side in sides if any(run.weights for run in side.runs)]
    with canvas((4.3, 5.2) if narrow else (8, 5), out, suffix) as figure:
        if weighted:
            top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(6, 1))
            _draw_weight(bottom, weighted, clock)
        else:
            top = bottom = figure.subplots()
        end = max((run.times(clock)[-1] for run in study.runs if run.history), default=0) or 1
        bottom.set_xlim(0, end * 1.02)
        bottom.set_xlabel(UNITS[clock])
        metric, scale = study.runs[0].metric, metric_scale(study.runs[0].metric)
        for side in sides:
            _draw_side(top, side, clock, scale, every_seed=len(sides) <= 2)
        _draw_levels(top, sides, tau, scale)
        _draw_first_at(top, sides, scale * tau, clock)
        _draw_gates(top, sides, tau, clock, scale)
        top.set_ylabel(f'{metric_name(metric)} (%)' if scale == 100 else metric_name(metric))
        top.grid(alpha=0.2, linewidth=0.6)
        if not any(value < 0 for run in study.runs for value in run.values):
            top.set_ylim(0, max(top.get_ylim()[1], 1.1 * tau * scale))
        _legend(figure, top, narrow)
        if titled:
            text = title(study, tau, clock)
            top.set_title(text, loc='left', fontsize=12, fontweight='bold', pad=10)


def _sides(study: Study, tau: float, clock: Clock) -> list[_Side]:
    several = len(study.variants) > 1
    looks = [(v, OURS[i % len(OURS)], DASHES[i % 4]) for i, v in enumerate(study.variants)]
    if study.baseline:
        looks.insert(0, (study.baseline, BASELINE, '-'))
    sides = []
    for variant, colour, dash in looks:
        runs = [run for run in variant.runs if run.history]
        if not runs:
            continue
        mean = mean_run(runs)
        at = crossing(mean, tau, clock, study.sustained)
        ats = [crossing(run, tau, clock, study.sustained) for run in runs]
        label = variant.name
        if not several and variant is not study.baseline:
            label = 'with teacher' if study.baseline and variant.has_teacher else variant.name
        elif not several:
            label = 'baseline'
        if len(runs) > 1 and not several:
            label += f', mean of {len(runs)}'
        if several:
            label += f' ({crossing_text(at, clock)})'
        sides.append(_Side(label, runs, colour, dash if several else '-', mean, at, ats))
    return sides


def _draw_side(axes: Any, side: _Side, clock: Clock, scale: float, every_seed: bool) -> None:
    times = side.mean.times(clock)
    if len(side.runs) > 1:
        low, high = (
            [scale * value for value in edge] for edge in zip(*band(side.runs), strict=True)
        )
        axes.fill_between(times, low, high, color=side.colour, alpha=0.13, linewidth=0)
        for run in side.runs if every_seed else ():
            values = [scale * value for value in run.values]
            axes.plot(run.times(clock), values, color=side.colour, linewidth=0.8, alpha=0.45)
    axes.plot(
        times,
        [scale * value for value in side.mean.values],
        color=side.colour,
        linestyle=side.dash,
        linewidth=2.4,
        label=side.label,
    )


def _draw_levels(axes: Any, sides: Sequence[_Side], tau: float, scale: float) -> None:
    axes.axhline(scale * tau, color=INK, linewidth=1.2, linestyle=(0, (1, 1.5)), zorder=1.5)
    references = {r.reference for side in sides for r in side.runs if r.reference is not None}
    # The label is on the side away from the teacher's line.
    below = any(tau < reference < 1.5 * tau for reference in references)
    axes.annotate(
        f'target {scale * tau:g}',
        (0, scale * tau),
        xycoords=('axes fraction', 'data'),
        xytext=(5, -4 if below else 4),
        textcoords='offset points',
        va='top' if below else 'bottom',
        color=INK,
    )
    for number, reference in enumerate(sorted(references)):
        label = f'teacher {scale * reference:.1f}' if len(references) == 1 else 'teachers'
        axes.axhline(
            scale * reference,
            color=TEACHER,
            linewidth=1.4,
            linestyle=(0, (6, 3)),
            zorder=1.5,
            label=label if number == 0 else None,
        )


def _draw_first_at(axes: Any, sides: Sequence[_Side], level: float, clock: Clock) -> None:
    """Mark first@tau of every seed on the target line, with a line down from the mean curve's."""
    for side in sides:
        for at in side.ats if len(sides) <= 2 else [side.at]:
            face = side.colour if at.reached else 'white'
            axes.plot(at.time, level, 'o', color=side.colour, mfc=face, markersize=6, zorder=3)
    if any(not at.reached for side in sides for at in side.ats):
        axes.plot([], [], 'o', color=INK, mfc='white', markersize=6, label='not reached')
    earliest = min((side.at.time for side in sides), default=0)
    for side in sides:
        axes.vlines(side.at.time, 0, level, color=side.colour, linewidth=1, linestyle=':')
        if len(sides) > 2:
            continue  # their numbers would overlap, and are in the legend
        # The numbers are outside the two lines, so that close ones do not overlap.
        left = side.at.time == earliest and side is sides[-1]
        left |= side.at.time > 0.9 * axes.get_xlim()[1]
        axes.annotate(
            crossing_text(side.at, clock),
            (side.at.time, 0),
            xycoords=('data', 'axes fraction'),
            xytext=(-4 if left else 4, 5),
            textcoords='offset points',
            ha='right' if left else 'left',
            color=side.colour,
            fontweight='bold',
        )
    if len(sides) == 2 and sides[0].at.time != sides[1].at.time:
        arrow = {'arrowstyle': '-|>', 'color': INK, 'linewidth': 2, 'shrinkA': 5, 'shrinkB': 5}
        ends = (sides[1].at.time, level), (sides[0].at.time, level)
        axes.annotate('', *ends, arrowprops=arrow)


def _draw_gates(axes: Any, sides: Sequence[_Side], tau: float, clock: Clock, scale: float) -> None:
    label: str | None = 'gate closes'
    for side in sides:
        for run in side.runs:
            if run.closed_at is None:
                continue
            values = {point['iter']: point['value'] for point in run.history}
            value = values.get(run.closed_at, run.reference)
            axes.plot(
                run.time_of(run.closed_at, clock),
                scale * (tau if value is None else value),
                'D',
                color='white',
                markeredgecolor=side.colour,
                markeredgewidth=1.6,
                markersize=7 if len(sides) <= 2 else 4.5,
                linestyle='none',
                zorder=4,
                label=label,
            )
            label = None


def _draw_weight(axes: Any, sides: Sequence[_Side], clock: Clock) -> None:
    """Draw the distillation weight of every run, shaded below."""
    highest = 0.0
    for side in sides:
        for run in side.runs:
            for points in run.weights or ():
                times = [run.time_of(iteration, clock) for iteration, _ in points]
                weights = [weight for _, weight in points]
                highest = max(highest, *weights, 0)
                axes.plot(times, weights, color=side.colour, linewidth=0.8)
                alpha = 0.5 / len(side.runs) / len(sides) + 0.03
                axes.fill_between(times, weights, color=side.colour, alpha=alpha, linewidth=0)
    axes.set_ylim(0, 1.15 * highest or 1)
    axes.set_yticks([0, highest] if highest else [0])
    axes.set_ylabel('weight')


def _legend(figure: Any, axes: Any, narrow: bool) -> None:
    """Put the legend below the axes, where it covers no curve."""
    handles, labels = axes.get_legend_handles_labels()
    longest = max(map(len, labels), default=1)
    columns = max(1, min(len(labels), (56 if narrow else 125) // (longest + 6)))
    figure.legend(
        handles,
        labels,
        loc='outside lower center',
        ncols=columns,
        frameon=False,
        fontsize=9.5,
        columnspacing=1.3,
        handlelength=2.2,
    )
