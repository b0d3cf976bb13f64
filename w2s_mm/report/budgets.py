"""Runs to a shorter end: the smallest budget that is not inferior to the full baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from .blocks import Table
from .runs import Run
from .statistics import Interval, final_and_best, t_interval
from .study import Study, Variant
from .wording import difference_text, final_text, metric_name, value_text


@dataclass(frozen=True)
class BudgetResult:
    """The runs of one configuration at one budget.

    Attributes:
        budget: Part of the full length.
        runs: Its seeds.
        difference: Final metric minus that of the full baseline of the same seed, mean of the pairs
            with its t interval; None for fewer than two pairs.
        not_inferior: Whether the end of the interval on the worse side is within the margin. None
            where there is no interval.
    """

    budget: float
    runs: list[Run]
    difference: Interval | None
    not_inferior: bool | None


def budget_results(study: Study, name: str) -> list[BudgetResult]:
    """The results of one configuration, the longest first.

    Args:
        study: One with a baseline, a margin and runs at several budgets.
        name: Of the baseline or of a variant.
    """
    sides = {variant.name: variant.runs for variant in study.sides}
    by_budget = {1.0: sides[name]}
    for shortened in study.shortened:
        for side in shortened.sides:
            if side.name == name:
                by_budget[shortened.budget] = side.runs
    full = study.baseline.runs if study.baseline else []
    found = []
    for budget in sorted(by_budget, reverse=True):
        difference = _difference(by_budget[budget], full)
        found.append(
            BudgetResult(budget, by_budget[budget], difference, _within(study, difference))
        )
    return found


def _difference(runs: Sequence[Run], full: Sequence[Run]) -> Interval | None:
    finals = {run.seed: final_and_best(run)[0] for run in full}
    return t_interval(
        [final_and_best(run)[0] - finals[run.seed] for run in runs if run.seed in finals]
    )


def _within(study: Study, difference: Interval | None) -> bool | None:
    if difference is None or study.margin is None:
        return None
    if study.runs[0].rule == 'less':
        return difference.high <= study.margin
    return difference.low >= -study.margin


def smallest_budget(results: Sequence[BudgetResult]) -> float | None:
    """The smallest budget down to which no result is inferior, or None if the full one already is.

    Args:
        results: Of one configuration, the longest first.
    """
    smallest = None
    for result in results:
        if not result.not_inferior:
            break
        smallest = result.budget
    return smallest


def budgets_sentence(study: Study) -> str:
    """The smallest budget of every configuration in a sentence."""
    metric = study.runs[0].metric
    told = []
    for side in study.sides:
        found = smallest_budget(budget_results(study, side.name))
        told.append(f'{side.name} {"none" if found is None else f"{found:g}"}')
    margin = difference_text(study.margin or 0.0, metric).lstrip('+')
    return (
        f'Smallest part of the training whose final {metric_name(metric)} is not inferior to the '
        f"full baseline's (margin {margin}): {', '.join(told)}."
    )


def budgets_table(study: Study) -> Table:
    """All configurations at all budgets."""
    metric = study.runs[0].metric
    rows = []
    for side in study.sides:
        for result in budget_results(study, side.name):
            rows.append(_row(side, result, metric))
    header = ['', 'budget', 'iterations', 'seconds of training', f'final {metric_name(metric)}']
    header += ['minus the full baseline', 'not inferior']
    return Table(
        'Runs to a shorter end, with the learning-rate schedule compressed to it', header, rows
    )


def _row(side: Variant, result: BudgetResult, metric: str) -> list[str]:
    runs = [run for run in result.runs if run.history]
    verdict = {None: '-', True: 'yes', False: 'no'}[result.not_inferior]
    return [
        side.name,
        f'{result.budget:g}',
        ', '.join(sorted({str(run.max_iters) for run in result.runs})),
        f'{mean(run.history[-1]["train_seconds"] for run in runs):.0f}' if runs else '-',
        value_text(mean(final_and_best(run)[0] for run in runs), metric) if runs else '-',
        final_text(result.difference, metric),
        verdict,
    ]
