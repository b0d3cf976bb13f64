import json
import math

import pytest

from w2s_mm.report import FINAL, NEARLY_FINAL, TEACHER, Crossing, Speedup, compare, load_run, target
from w2s_mm.report.statistics import Signs
from w2s_mm.utils.errors import W2SError

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.3]  # reaches 0.2 at iteration 160
EARLY = [0.1, 0.22, 0.3, 0.3, 0.3, 0.3]  # at 80
NEVER = [0.05] * 6  # > 240


def at(time):
    return Crossing(time, reached=True)


def after(time):
    return Crossing(time, reached=False)


def test_runs_are_paired_by_seed_in_any_order(write_run):
    ours = [load_run(write_run(f'ours{s}', EARLY, seed=s)) for s in (2, 0, 1)]
    base = [
        load_run(write_run(f'base{s}', curve, seed=s))
        for s, curve in ((1, NEVER), (2, RISING), (0, EARLY))
    ]
    result = compare(ours, base, level=target(0.2))
    assert [pair.seed for pair in result.pairs] == [0, 1, 2]
    assert [pair.speedup for pair in result.pairs] == [
        Speedup(1, 1),
        Speedup(low=3),
        Speedup(2, 2),
    ]
    assert result.median == Speedup(2, 2)
    assert result.notes == []


def test_a_run_without_a_partner_is_shown_but_not_counted(write_run):
    ours = [load_run(write_run(f'ours{s}', EARLY, seed=s)) for s in (0, 1)]
    result = compare(ours, [load_run(write_run('base', RISING))], level=target(0.2))
    assert len(result.pairs) == 2 and result.pairs[1].speedup is None
    assert result.median == Speedup(2, 2)
    assert 'not in the median: seed 1' in result.notes[0]


def test_without_a_seed_in_common_there_is_no_median(write_run):
    base = load_run(write_run('base', RISING, seed=1))
    assert compare([load_run(write_run('ours', EARLY))], [base], level=target(0.2)).median is None


def test_without_baselines_seeds_may_repeat(write_run):
    runs = [load_run(write_run(name, RISING)) for name in 'ab']
    result = compare(runs, level=target(0.2))
    assert [pair.ours_at for pair in result.pairs] == [at(160), at(160)]
    assert result.median is None and not result.with_baseline


def test_a_run_in_progress_is_noted(write_run):
    result = compare([load_run(write_run('ours', [], finished=False))], level=target(0.2))
    assert result.pairs[0].ours_at == after(0)
    assert result.notes == [
        'Not finished: ours. The figures may still change.',
        'Not yet validated: ours.',
    ]


def test_two_baselines_of_one_seed_are_refused(write_run):
    base = [load_run(write_run(name, RISING)) for name in 'ab']
    with pytest.raises(W2SError, match=r'Two baselines have seed 0: .*leave one of them out'):
        compare([load_run(write_run('ours', EARLY))], base, level=target(0.2))


def test_runs_of_different_metrics_are_refused(write_run):
    other = load_run(write_run('other', RISING, metric='coco/bbox_mAP'))
    with pytest.raises(W2SError, match='agree in metric'):
        compare([load_run(write_run('ours', EARLY))], [other], level=target(0.2))


@pytest.mark.parametrize('tau', [20, 0, -0.1, math.nan])
def test_a_target_beyond_the_range_of_ap_is_refused(write_run, tau):
    with pytest.raises(W2SError, match=r'type: --tau 0\.2'):
        compare([load_run(write_run('ours', EARLY))], level=target(tau))


def test_runs_on_other_validation_grids_are_refused(write_run):
    ours = load_run(write_run('ours', EARLY, interval=20))
    with pytest.raises(W2SError, match=r'\[20, 40, 60, .*\[40, 80, 120, .*val_interval'):
        compare([ours], [load_run(write_run('base', RISING))], level=target(0.2))


def test_a_shorter_run_on_the_same_grid_is_compared(write_run):
    ours = load_run(write_run('ours', EARLY[:3], finished=False))
    assert compare(
        [ours], [load_run(write_run('base', RISING))], level=target(0.2)
    ).median == Speedup(2, 2)


def test_the_mean_curve_of_the_pairs_is_compared_like_a_pair(write_run):
    ours = [load_run(write_run(f'ours{s}', EARLY, seed=s)) for s in (0, 1, 7)]
    base = [load_run(write_run(f'base{s}', c, seed=s)) for s, c in enumerate([RISING, EARLY])]
    result = compare(ours, base, level=target(0.2))
    # Mean of RISING and EARLY: 0.075, 0.16, 0.225, ...: seed 7 has no partner and is not in it.
    assert result.mean.baseline_at == at(120) and result.mean.ours_at == at(80)
    assert result.mean.speedup == Speedup(1.5, 1.5)
    assert result.median == Speedup(1.5, 1.5)
    assert result.interval.mean == pytest.approx(2**0.5) and result.interval.count == 2
    assert result.signs == Signs(1, 0, 1, 1.0)


def test_one_pair_has_no_interval(write_run):
    ours, base = (load_run(write_run(*args)) for args in (('ours', EARLY), ('base', RISING)))
    result = compare([ours], [base], level=target(0.2))
    assert result.interval is None and result.mean.speedup == Speedup(2, 2)


# ------------------------------------------------------------------------------ other levels


def test_the_teachers_level_is_that_of_the_run(write_run):
    ours = load_run(write_run('ours', EARLY, reference=0.25))
    pair = compare([ours], [load_run(write_run('base', RISING))], level=TEACHER).pairs[0]
    assert (pair.tau, pair.baseline_at, pair.ours_at) == (0.25, at(200), at(120))


def test_a_run_without_a_teacher_has_no_teachers_level(write_run):
    runs = [load_run(write_run(name, EARLY)) for name in ('ours', 'base')]
    result = compare(runs[:1], runs[1:], level=TEACHER)
    assert result.pairs[0].tau is None and result.pairs[0].speedup is None
    assert result.median is None and result.signs.p is None
    assert result.notes == []


def test_the_final_level_of_a_pair_is_the_last_value_of_its_own_baseline(write_run):
    ours = [load_run(write_run(f'ours{s}', EARLY, seed=s)) for s in (0, 1)]
    base = [
        load_run(write_run(f'base{s}', curve, seed=s))
        for s, curve in enumerate([RISING, [0.1, 0.2, 0.1, 0.1, 0.1, 0.1]])
    ]
    result = compare(ours, base, level=FINAL)
    assert [pair.tau for pair in result.pairs] == [0.3, 0.1]
    assert [pair.baseline_at for pair in result.pairs] == [at(240), at(40)]
    assert [pair.ours_at for pair in result.pairs] == [at(120), at(40)]
    assert result.mean is not None and result.mean.tau == pytest.approx(0.2)


@pytest.mark.parametrize(
    ('rule', 'values', 'tau'),
    [('greater', [0.1, 0.4], 0.38), ('less', [9.0, 1.9], 2.0), ('greater', [0.1, -0.4], None)],
)
def test_95_percent_is_short_of_the_final_value_whatever_is_better(write_run, rule, values, tau):
    told = {'metric': 'm', 'rule': rule}
    runs = [load_run(write_run(name, values, **told)) for name in ('ours', 'base')]
    found = compare(runs[:1], runs[1:], level=NEARLY_FINAL).pairs[0].tau
    assert found == (None if tau is None else pytest.approx(tau))


def test_the_final_level_counts_the_first_validation_since_none_comes_after_the_last(write_run):
    runs = [load_run(write_run(name, RISING)) for name in ('ours', 'base')]
    result = compare(runs[:1], runs[1:], level=FINAL, sustained=True)
    assert result.hits_in_a_row == 1
    assert result.pairs[0].speedup == Speedup(1, 1)


def test_the_final_difference_is_ours_minus_the_baseline(write_run):
    ours = [load_run(write_run(f'o{s}', [0.3 + s / 10], seed=s)) for s in (0, 1)]
    base = [load_run(write_run(f'b{s}', [0.2], seed=s)) for s in (0, 1)]
    found = compare(ours, base, level=target(0.2)).final
    assert found is not None and found.mean == pytest.approx(0.15) and found.count == 2
    assert found.low < 0.1 and found.high > 0.2


def test_ignored_answers_of_the_teacher_are_noted(write_run):
    path = write_run('ours', [0.1, 0.3], reference=0.25)
    file = path / 'weak_to_strong.json'
    told = json.loads(file.read_text())
    base = load_run(write_run('base', [0.1, 0.2]))
    assert not any(
        'ignored' in note for note in compare([load_run(path)], [base], level=target(0.2)).notes
    )
    file.write_text(json.dumps({**told, 'answers': {'answers': 1200, 'dropped': 3}}))
    notes = compare([load_run(path)], [base], level=target(0.2)).notes
    assert 'ours: 3 of the 1,200 answers of the teacher had NaN or infinity' in ' '.join(notes)
