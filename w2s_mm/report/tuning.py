"""Trials of settings on seeds for tuning, and which is best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .runs import Run
from .statistics import crossing, final_and_best, mean_run
from .wording import crossing_text, metric_name, target_text, value_text

Criterion = Literal['final', 'first']


@dataclass(frozen=True)
class Trial:
    """One choice of settings.

    Attributes:
        name: The settings, as typed.
        runs: One a seed.
    """

    name: str
    runs: list[Run]

    @property
    def final(self) -> float:
        """Mean of the final metric; NaN where a run has none."""
        return sum(final_and_best(run)[0] for run in self.runs) / len(self.runs)

    @property
    def first(self) -> float:
        """Iteration at which the mean curve reaches the first target, infinite if it does not."""
        tau = self.runs[0].thresholds[0] if self.runs[0].thresholds else math.nan
        at = crossing(mean_run(self.runs), tau)
        return at.time if at.reached else math.inf


def best_trial(trials: Sequence[Trial], by: Criterion) -> Trial | None:
    """The best trial; of those that reach the target equally early, the one that ends better.

    Args:
        trials: Of one side.
        by: ``'final'``: the final metric; ``'first'``: the time to the first target.

    Returns:
        None where no trial has a result by this criterion.
    """

    def order(trial: Trial) -> tuple[float, float]:
        less = trial.runs[0].rule == 'less'
        end = trial.final if less else -trial.final
        return (trial.first if by == 'first' else end, end)

    known = [
        trial
        for trial in trials
        if not math.isnan(trial.final) and (by == 'final' or math.isfinite(trial.first))
    ]
    return min(known, key=order, default=None)


def trial_rows(trials: Sequence[Trial]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of trials, in the order given."""
    run = trials[0].runs[0]
    target = target_text(run.metric, run.thresholds[0]) if run.thresholds else '-'
    header = ['settings', f'first@{target}', f'final {metric_name(run.metric)}', 'by seed']
    rows = []
    for trial in trials:
        at = crossing(mean_run(trial.runs), run.thresholds[0]) if run.thresholds else None
        ends = [final_and_best(each)[0] for each in trial.runs]
        texts = ['-' if math.isnan(end) else value_text(end, run.metric) for end in ends]
        mean = '-' if math.isnan(trial.final) else value_text(trial.final, run.metric)
        rows.append([trial.name, crossing_text(at, 'iter'), mean, ' '.join(texts)])
    return header, rows
