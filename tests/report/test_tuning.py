from math import inf, isnan, nan

import pytest

from w2s_mm.report import load_run
from w2s_mm.report.tuning import Trial, best_trial, trial_rows

EARLY = [0.1, 0.22, 0.22, 0.22]  # reaches 0.2 at iteration 80
LATE = [0.05, 0.1, 0.21, 0.3]  # at 120
NEVER = [0.05] * 4
BROKEN = [0.3, 0.3, 0.3, nan]


@pytest.fixture
def trial(write_run):
    def make(name, *curves, **told):
        runs = [
            write_run(f'{name}/seed{s}', curve, seed=s, **told) for s, curve in enumerate(curves)
        ]
        return Trial(name, [load_run(run) for run in runs])

    return make


def test_the_two_criteria_may_disagree(trial):
    trials = [trial('never', NEVER), trial('early', EARLY), trial('late', LATE)]
    assert best_trial(trials, 'final').name == 'late'
    assert best_trial(trials, 'first').name == 'early'


def test_seeds_are_averaged(trial):
    mixed = trial('mixed', EARLY, LATE)
    assert mixed.final == pytest.approx(0.26)
    assert mixed.first == 120  # the mean curve: 0.075, 0.16, 0.215, 0.26
    assert trial('none', NEVER).first == inf


def test_of_equally_early_trials_the_better_end_wins(trial):
    trials = [trial('a', EARLY), trial('b', [0.1, 0.22, 0.3, 0.3])]
    assert best_trial(trials, 'first').name == 'b'


def test_less_is_better(trial):
    fid = {'metric': 'fid', 'rule': 'less', 'thresholds': (60,)}
    trials = [trial('a', [90, 55, 50], **fid), trial('b', [90, 70, 40], **fid)]
    assert best_trial(trials, 'final').name == 'b' and best_trial(trials, 'first').name == 'a'


def test_a_trial_without_a_result_is_never_the_best(trial):
    broken = trial('broken', BROKEN, LATE)
    assert isnan(broken.final)
    assert best_trial([broken, trial('never', NEVER)], 'final').name == 'never'
    assert best_trial([broken], 'final') is None
    assert best_trial([trial('alone', NEVER)], 'first') is None


def test_the_table_has_every_seed(trial):
    header, rows = trial_rows([trial('a', EARLY, LATE), trial('broken', BROKEN)])
    assert header == ['settings', 'first@AP50 20', 'final AP50', 'by seed']
    assert rows == [['a', '120', '26.0', '22.0 30.0'], ['broken', '40', '-', '-']]
