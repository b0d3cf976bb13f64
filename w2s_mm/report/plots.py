"""Learning curves of a comparison: target, teacher, gate and weight in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .canvas import BASELINE, INK, OURS, TEACHER, canvas
from .curves import band, mean_run
from .evidence import Evidence
from .headline import title
from .runs import Clock, Run
from .timing import Crossing, crossing
from .wording import UNITS, crossing_text, metric_name, metric_scale

DASHES: tuple[Any, ...] = ('-', (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))


@dataclass(frozen=True)
class _Side:
    """One configuration in the picture."""

    label: str
    runs: list[Run]
    colour: str
    dash: Any
    mean: Run
    at: Crossing


def draw(
    evidence: Evidence,
    tau: float,
    out: str | Path | BinaryIO,
    *,
    clock: Clock = 'iter',
    narrow: bool = False,
    titled: bool = True,
    suffix: str = 'png',
) -> None:
    """Draw a baseline and its variants.

    With one variant every seed is drawn, with several each has its mean and the range of its seeds.

    Args:
        evidence: What to draw.
        tau: The target.
        out: File to write; its directory is made if absent.
        clock: What to count time in.
        narrow: Drawn for a phone.
        titled: Whether it says the result above, for a picture that stands alone.
        suffix: Format, ``'png'`` or ``'svg'``.
    """
    sides = _sides(evidence, tau, clock)
    weighted = [side for side in sides if any(run.schedule for run in side.runs)]
    with canvas((4.3, 5.2) if narrow else (8, 5), out, suffix) as figure:
        if weighted:
            top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(6, 1))
            _draw_weight(bottom, weighted, clock)
        else:
            top = bottom = figure.subplots()
        end = max((run.times(clock)[-1] for run in evidence.runs if run.history), default=0) or 1
        bottom.set_xlim(0, end * 1.02)
        bottom.set_xlabel(UNITS[clock])
        metric, scale = evidence.runs[0].metric, metric_scale(evidence.runs[0].metric)
        for side in sides:
            _draw_side(top, side, clock, scale, every_seed=len(sides) <= 2)
        _draw_levels(top, sides, tau, scale)
        _draw_first_at(top, sides, tau, clock, scale)
        _draw_gates(top, sides, tau, clock, scale)
        top.set_ylabel(f'{metric_name(metric)} (%)' if scale == 100 else metric_name(metric))
        top.grid(alpha=0.2, linewidth=0.6)
        if not any(value < 0 for run in evidence.runs for value in run.values):
            top.set_ylim(0, max(top.get_ylim()[1], 1.1 * tau * scale))
        _legend(figure, top, narrow)
        if titled:
            text = title(evidence, tau, clock)
            top.set_title(text, loc='left', fontsize=12, fontweight='bold', pad=10)


def _sides(evidence: Evidence, tau: float, clock: Clock) -> list[_Side]:
    several = len(evidence.variants) > 1
    looks = [(v, OURS[i % len(OURS)], DASHES[i % 4]) for i, v in enumerate(evidence.variants)]
    if evidence.baseline:
        looks.insert(0, (evidence.baseline, BASELINE, '-'))
    sides = []
    for variant, colour, dash in looks:
        runs = [run for run in variant.runs if run.history]
        if not runs:
            continue
        mean = mean_run(runs)
        at = crossing(mean, tau, clock)
        label = variant.name
        if not several and variant is not evidence.baseline:
            label = 'with teacher' if evidence.baseline and variant.taught else variant.name
        elif not several:
            label = 'baseline'
        if len(runs) > 1 and not several:
            label += f', mean of {len(runs)}'
        if several:
            label += f' ({crossing_text(at, clock)})'
        sides.append(_Side(label, runs, colour, dash if several else '-', mean, at))
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
    # The label stands on the side away from the teacher's line.
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


def _draw_first_at(
    axes: Any, sides: Sequence[_Side], tau: float, clock: Clock, scale: float
) -> None:
    """Mark first@tau of every seed on the target line, and lead down from the mean curve's."""
    level = scale * tau
    for side in sides:
        for run in side.runs if len(sides) <= 2 else [side.mean]:
            at = crossing(run, tau, clock)
            face = side.colour if at.reached else 'white'
            axes.plot(at.time, level, 'o', color=side.colour, mfc=face, markersize=6, zorder=3)
    if any(not crossing(run, tau, clock).reached for side in sides for run in side.runs):
        axes.plot([], [], 'o', color=INK, mfc='white', markersize=6, label='not reached')
    earliest = min((side.at.time for side in sides), default=0)
    for side in sides:
        axes.vlines(side.at.time, 0, level, color=side.colour, linewidth=1, linestyle=':')
        if len(sides) > 2:
            continue  # their numbers would run into each other, and are in the legend
        # The numbers stand outside of the two lines, so that near ones do not collide.
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
    """Shade lambda(u) as it was: up to the gate, and dashed as it would have gone on."""
    highest = 0.0
    for side in sides:
        for run in side.runs:
            last = run.history[-1]['iter']
            closed = run.closed_at if run.closed_at is not None else math.inf
            grid = [last * step / 600 for step in range(601)]
            times = [run.time_of(i, clock) for i in grid]
            planned = [run.weight_at(i) for i in grid]
            active = [w if i < closed else 0.0 for i, w in zip(grid, planned, strict=True)]
            highest = max(highest, *planned)
            axes.plot(times, planned, color=side.colour, linewidth=0.8, linestyle=(0, (3, 2)))
            alpha = 0.5 / len(side.runs) / len(sides) + 0.03
            axes.fill_between(times, active, color=side.colour, alpha=alpha, linewidth=0)
    axes.set_ylim(0, 1.15 * highest or 1)
    axes.set_yticks([0, highest] if highest else [0])
    axes.set_ylabel('λ', rotation=0, ha='right', va='center')


def _legend(figure: Any, axes: Any, narrow: bool) -> None:
    """Below the axes, where no curve can run under it."""
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
