"""Shorter runs beside the full ones."""

import pytest

from tests.run_files import RECORD
from w2s_mm.report import as_json, gather, read_archive, save_study
from w2s_mm.report.budgets import BudgetResult, budget_results, budgets_sentence, smallest_budget
from w2s_mm.report.page import build_page
from w2s_mm.report.render import as_markdown
from w2s_mm.utils.errors import W2SError


@pytest.fixture
def study(write_run):
    """``study(finals, **options)``: finals by side and budget, one a seed."""

    def make(finals, rule='greater', **options):
        dirs = {'ours': [], 'base': []}
        for (name, budget), values in finals.items():
            for seed, value in enumerate(values):
                settings = {} if budget == 1 else {'budget': budget}
                part = '' if budget == 1 else f'budget{budget:g}/'
                told = {'metric': 'm', 'rule': rule, 'thresholds': (50,)}
                run = write_run(
                    f'{name}/{part}seed{seed}',
                    [value],
                    seed=seed,
                    record={**RECORD, 'format': 2, 'settings': settings},
                    **told,
                )
                dirs[name].append(run)
        return gather(dirs['ours'], dirs['base'], **options)

    return make


FINALS = {
    ('base', 1): [60.0, 61.0, 62.0],
    ('base', 0.75): [58.0, 59.1, 60.2],
    ('base', 0.5): [55.0, 56.0, 57.0],
    ('ours', 1): [61.0, 62.0, 63.1],
    ('ours', 0.75): [60.1, 61.0, 62.1],
    ('ours', 0.5): [59.7, 60.7, 61.7],
}


def test_runs_are_separated_by_what_their_record_says(study):
    made = study(FINALS, margin=1.0)
    assert [run.values[-1] for run in made.runs] == [60.0, 61.0, 62.0, 61.0, 62.0, 63.1]
    assert [part.budget for part in made.shortened] == [0.75, 0.5]
    assert [[side.name for side in part.sides] for part in made.shortened] == [['ours', 'base']] * 2
    assert [variant.name for variant in made.sides] == ['base', 'ours']


def test_the_smallest_budget_is_compared_with_the_full_baseline_of_the_same_seed(study):
    made = study(FINALS, margin=1.0)
    ours, base = (budget_results(made, name) for name in ('ours', 'base'))
    assert [result.budget for result in ours] == [1.0, 0.75, 0.5]
    assert ours[2].difference.mean == pytest.approx(-0.3)
    assert smallest_budget(ours) == 0.5 and smallest_budget(base) == 1.0
    assert budgets_sentence(made) == (
        "Smallest part of the training whose final m is not inferior to the full baseline's "
        '(margin 1.0): base 1, ours 0.5.'
    )


def test_the_margin_is_on_the_worse_side_where_less_is_better(study):
    finals = {
        ('base', 1): [6.0, 6.1],
        ('ours', 1): [5.0, 5.1],
        ('base', 0.5): [8.0, 8.1],
        ('ours', 0.5): [6.1, 6.2],
    }
    made = study(finals, rule='less', margin=0.2)
    assert smallest_budget(budget_results(made, 'ours')) == 0.5
    assert smallest_budget(budget_results(made, 'base')) == 1.0


def test_a_wide_interval_is_not_called_not_inferior(study):
    finals = {**FINALS, ('ours', 0.5): [50.0, 61.0, 72.0]}  # the same mean
    made = study(finals, margin=1.0)
    assert budget_results(made, 'ours')[2].not_inferior is False
    assert smallest_budget(budget_results(made, 'ours')) == 0.75


def test_a_smaller_budget_does_not_count_below_one_that_failed():
    verdicts = [(1.0, True), (0.75, False), (0.5, True)]
    assert smallest_budget([BudgetResult(b, [], None, v) for b, v in verdicts]) == 1.0
    assert smallest_budget([BudgetResult(1.0, [], None, None)]) is None


def test_the_report_has_them_and_a_file_keeps_them(study, tmp_path):
    made = study(FINALS, margin=1.0)
    markdown = as_markdown(build_page(made))
    assert '| ours | 0.5 | 800 | 4 | 60.7 | -0.3 (-0.3 to -0.3) | yes |' in markdown
    assert '| base | 0.5 | 800 | 4 | 56.0 | -5.0 (-5.0 to -5.0) | no |' in markdown
    save_study(tmp_path / 's.json.gz', made)
    again = read_archive(tmp_path / 's.json.gz').study()
    assert as_markdown(build_page(again)) == markdown and as_json(again) == as_json(made)


def test_shorter_runs_alone_are_refused(study):
    finals = {key: value for key, value in FINALS.items() if key != ('ours', 1)}
    with pytest.raises(W2SError, match=r'ours has no run of the full length.*0\.75, 0\.5'):
        study(finals)
