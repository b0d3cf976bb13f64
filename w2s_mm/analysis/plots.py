"""Learning curves of a comparison: target, teacher, gate and weight in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from .compare import Comparison, Crossing, Speedup
from .report import UNITS, crossing_text, metric_name, metric_scale, speedup_text, target_text
from .runs import Clock, Run

# Okabe and Ito's palette: told apart with any colour vision, and in grey by their lightness.
BASELINE, OURS, TEACHER, INK = '#0072B2', '#D55E00', '#009E73', '#333333'


def draw(comparison: Comparison, path: str | Path) -> None:
    """Draw a comparison; the suffix of ``path`` (.png or .svg) names the format.

    Args:
        comparison: What ``compare`` returned.
        path: Picture to write; its directory is made if absent.
    """
    # pyplot would pick a window system; a Figure of one's own draws with Agg wherever it runs.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    c = comparison
    ours = [pair.ours for pair in c.pairs if pair.ours]
    baselines = [pair.baseline for pair in c.pairs if pair.baseline]
    weighted = [run for run in ours if run.schedule]
    style: Any = {'font.size': 11, 'axes.spines.top': False, 'axes.spines.right': False}
    # Text stays text in an SVG, and the same input gives the same file.
    with rc_context({**style, 'svg.fonttype': 'none', 'svg.hashsalt': 'w2s_mm'}):
        figure = Figure(figsize=(8, 5 if weighted else 4.4), layout='constrained')
        if weighted:
            top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(6, 1))
            _draw_weight(bottom, weighted, c.clock)
        else:
            top = bottom = figure.subplots()
        end = max([_end(run, c.clock) for run in [*ours, *baselines]], default=0) or 1
        bottom.set_xlim(0, end * 1.02)
        bottom.set_xlabel(UNITS[c.clock])

        _draw_side(top, baselines, c, BASELINE, 'baseline')
        _draw_side(top, ours, c, OURS, 'with teacher' if c.with_baseline else 'runs')
        _draw_levels(top, ours, c)
        _draw_first_at(top, c)
        _draw_gates(top, ours, c)
        top.set_ylabel(_axis_label(c.metric))
        top.grid(alpha=0.2, linewidth=0.6)
        if not any(value < 0 for run in [*ours, *baselines] for value in run.values):
            top.set_ylim(0, max(top.get_ylim()[1], 1.1 * c.tau * metric_scale(c.metric)))
        # Below the axes, where no curve can run under it.
        handles, labels = top.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc='outside lower center',
            ncols=len(labels),
            frameon=False,
            fontsize=9.5,
            columnspacing=1.3,
            handlelength=1.8,
        )
        top.set_title(title(c), loc='left', fontsize=12, fontweight='bold', pad=10)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, metadata={'Date': None} if path.suffix == '.svg' else None)


def title(comparison: Comparison) -> str:
    """Say the result in words."""
    c = comparison
    ratios = [pair.speedup for pair in c.pairs if pair.speedup]
    target = target_text(c)
    if not c.with_baseline:
        at = _middle([pair.ours_at for pair in c.pairs if pair.ours_at])
        if not at.reached:
            return f'{target} not reached'
        many = f' (median of {len(c.pairs)} runs)' if len(c.pairs) > 1 else ''
        return f'{target} reached after {_when(at, c.clock)}{many}'
    if c.median is None or c.median.unknown:
        return f'{target}: no speedup can be told yet'
    many = f'median of {len(ratios)} pairs' if len(ratios) > 1 else 'one pair'
    return f'{target} reached {_in_words(c.median)} ({many})'


def _in_words(speedup: Speedup) -> str:
    text = speedup_text(speedup).lstrip('<> ')
    if speedup.exact:
        if text == '1.00x':
            return 'as soon as without the teacher'
        return f'{text} as fast with the teacher'
    if speedup.high == math.inf:
        return f'at least {text} as fast with the teacher'
    if speedup.low == 0:
        return f'at most {text} as fast with the teacher'
    return f'{text} as fast with the teacher'


def _when(at: Crossing, clock: Clock) -> str:
    unit = {'iter': 'iterations', 'epoch': 'epochs'}.get(clock, 's')
    return f'{crossing_text(at, clock)} {unit}'


def _axis_label(metric: str) -> str:
    return f'{metric_name(metric)} (%)' if metric_scale(metric) == 100 else metric_name(metric)


def _end(run: Run, clock: Clock) -> float:
    """Where the run's curve ends; a run that still goes on leaves no empty half."""
    return run.times(clock)[-1] if run.history else 0


def _draw_side(axes: Any, runs: Sequence[Run], c: Comparison, colour: str, name: str) -> None:
    scale = metric_scale(c.metric)
    alone = len(runs) == 1
    for run in runs:
        values = [scale * value for value in run.values]
        axes.plot(
            run.times(c.clock),
            values,
            color=colour,
            linewidth=2.4 if alone else 0.9,
            alpha=1 if alone else 0.4,
            label=name if alone else None,
        )
    if len(runs) < 2:
        return
    # The mean goes as far as every run has been evaluated.
    at = [{point['iter']: point for point in run.history} for run in runs]
    common = sorted(set.intersection(*(set(points) for points in at)))
    if common:
        axes.plot(
            [mean(points[i][c.clock] for points in at) for i in common],
            [scale * mean(points[i]['value'] for points in at) for i in common],
            color=colour,
            linewidth=2.6,
            label=f'{name} (mean)',
        )


def _draw_levels(axes: Any, ours: Sequence[Run], c: Comparison) -> None:
    scale = metric_scale(c.metric)
    axes.axhline(scale * c.tau, color=INK, linewidth=1.2, linestyle=(0, (1, 1.5)), zorder=1.5)
    references = {run.reference for run in ours if run.reference is not None}
    # The label stands on the side away from the teacher's line.
    below = any(c.tau < reference < 1.5 * c.tau for reference in references)
    axes.annotate(
        f'target {scale * c.tau:g}',
        (0, scale * c.tau),
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


def _draw_first_at(axes: Any, c: Comparison) -> None:
    """Mark every first@tau on the target line, and join the two medians with an arrow."""
    level = metric_scale(c.metric) * c.tau
    sides = []
    for crossings, colour in (
        ([pair.baseline_at for pair in c.pairs if pair.baseline_at], BASELINE),
        ([pair.ours_at for pair in c.pairs if pair.ours_at], OURS),
    ):
        if not crossings:
            continue
        for at in crossings:
            face = colour if at.reached else 'white'
            axes.plot(at.time, level, 'o', color=colour, mfc=face, markersize=6.5, zorder=3)
        sides.append((_middle(crossings), colour))
    if any(not at.reached for pair in c.pairs for at in (pair.baseline_at, pair.ours_at) if at):
        axes.plot([], [], 'o', color=INK, mfc='white', markersize=6.5, label='not reached')

    earliest = min((middle.time for middle, _ in sides), default=0)
    for middle, colour in sides:
        axes.vlines(middle.time, 0, level, color=colour, linewidth=1, linestyle=':', alpha=0.8)
        # The numbers stand outside of the two lines, so that near ones do not collide.
        left = middle.time == earliest and middle is sides[-1][0]
        left |= middle.time > 0.9 * axes.get_xlim()[1]
        axes.annotate(
            crossing_text(middle, c.clock),
            (middle.time, 0),
            xycoords=('data', 'axes fraction'),
            xytext=(-4 if left else 4, 5),
            textcoords='offset points',
            ha='right' if left else 'left',
            color=colour,
            fontweight='bold',
        )
    if len(sides) == 2 and sides[0][0].time != sides[1][0].time:
        axes.annotate(
            '',
            (sides[1][0].time, level),
            (sides[0][0].time, level),
            arrowprops={
                'arrowstyle': '-|>',
                'color': INK,
                'linewidth': 2,
                'shrinkA': 5,
                'shrinkB': 5,
            },
        )


def _draw_gates(axes: Any, ours: Sequence[Run], c: Comparison) -> None:
    label: str | None = 'gate closes'
    for run in ours:
        if run.closed_at is None:
            continue
        value = next((p['value'] for p in run.history if p['iter'] == run.closed_at), run.reference)
        axes.plot(
            run.time_of(run.closed_at, c.clock),
            metric_scale(c.metric) * (value if value is not None else c.tau),
            'D',
            color='white',
            markeredgecolor=OURS,
            markeredgewidth=1.6,
            markersize=7,
            linestyle='none',
            zorder=4,
            label=label,
        )
        label = None


def _draw_weight(axes: Any, runs: Sequence[Run], clock: Clock) -> None:
    """Shade lambda(u) as it was: up to the gate, and dashed as it would have gone on."""
    highest = 0.0
    for run in runs:
        last = run.history[-1]['iter'] if run.history else run.max_iters
        closed = run.closed_at if run.closed_at is not None else math.inf
        grid = [last * step / 600 for step in range(601)]
        times = [run.time_of(i, clock) for i in grid]
        planned = [run.weight_at(i) for i in grid]
        active = [weight if i < closed else 0.0 for i, weight in zip(grid, planned, strict=True)]
        highest = max(highest, *planned)
        axes.plot(times, planned, color=OURS, linewidth=0.8, linestyle=(0, (3, 2)), alpha=0.6)
        axes.fill_between(times, active, color=OURS, alpha=0.5 / len(runs) + 0.05, linewidth=0)
    axes.set_ylim(0, 1.15 * highest or 1)
    axes.set_yticks([0, highest] if highest else [0])
    axes.set_ylabel('λ', rotation=0, ha='right', va='center')


def _middle(crossings: Sequence[Crossing]) -> Crossing:
    """Median crossing; a run that has not arrived is later than every one that has."""
    if not crossings:
        return Crossing(0, reached=False)
    times = [at.time if at.reached else math.inf for at in crossings]
    middle = median(times)
    if math.isfinite(middle):
        return Crossing(middle, reached=True)
    return Crossing(max(at.time for at in crossings), reached=False)
