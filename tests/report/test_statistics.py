from math import e, inf, log, nan
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_mm.report import Crossing, Speedup, crossing, load_run, median_speedup, speedup
from w2s_mm.report.statistics import (
    Signs,
    band,
    mean_run,
    ratio_interval,
    sign_test,
    t_interval,
)

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.3]  # reaches 0.2 at iteration 160
EARLY = [0.1, 0.22, 0.3, 0.3, 0.3, 0.3]  # at 80
NEVER = [0.05] * 6  # > 240


def at(time):
    return Crossing(time, reached=True)


def after(time):
    return Crossing(time, reached=False)


@pytest.mark.parametrize(
    ('clock', 'expected'),
    [('iter', 160), ('epoch', 2), ('train_seconds', 16), ('wall_seconds', 30)],
)
def test_crossing_on_every_clock(write_run, clock, expected):
    assert crossing(load_run(write_run('run', RISING)), 0.2, clock) == at(expected)


def test_a_run_that_never_arrives_is_censored_at_its_last_evaluation(write_run):
    assert crossing(load_run(write_run('run', NEVER)), 0.2) == after(240)


def test_a_lower_metric_can_be_better(write_run):
    run = load_run(write_run('run', [90, 70, 59, 61, 55, 50], metric='fid', rule='less'))
    assert crossing(run, 60) == at(120)
    assert crossing(run, 60, sustained=True) == at(200)


def test_a_hit_at_the_very_end_leaves_a_sustained_crossing_open_from_there(write_run):
    run = load_run(write_run('run', [0.1, 0.1, 0.3]))
    assert crossing(run, 0.2) == at(120)
    assert crossing(run, 0.2, sustained=True) == after(80)


@pytest.mark.parametrize(
    ('baseline', 'ours', 'expected'),
    [
        (at(280), at(200), Speedup(1.4, 1.4)),
        (after(400), at(200), Speedup(low=2)),
        (at(200), after(400), Speedup(high=0.5)),
        (after(400), after(400), Speedup()),
        (at(100), after(0), Speedup()),  # ours was not yet validated
        (after(0), at(100), Speedup()),
        (at(0), at(0), Speedup(1, 1)),
    ],
)
def test_speedup_of_censored_runs_is_a_bound(baseline, ours, expected):
    assert speedup(baseline, ours) == expected


def exact(*values):
    return [Speedup(value, value) for value in values]


@pytest.mark.parametrize(
    ('speedups', 'expected'),
    [
        (exact(1.2, 1.4, 1.5), Speedup(1.4, 1.4)),
        (exact(1.0, 2.0), Speedup(1.5, 1.5)),
        # A bound beyond the middle does not blur it.
        ([*exact(1.2, 1.4), Speedup(low=2)], Speedup(1.4, 1.4)),
        ([*exact(1.2, 1.4), Speedup(high=0.5)], Speedup(1.2, 1.2)),
        # The middle one is a bound.
        ([*exact(1.2), Speedup(low=2), Speedup(low=3)], Speedup(low=2)),
        ([*exact(1.2), Speedup(high=0.9), Speedup(high=0.5)], Speedup(high=0.9)),
        # A bound on the wrong side of the middle: it may lie on either side.
        ([*exact(1.2, 1.4), Speedup(low=1.0)], Speedup(1.2, 1.4)),
        ([*exact(1.2, 1.4), Speedup()], Speedup(1.2, 1.4)),
        ([*exact(1.2), Speedup(low=2)], Speedup(low=1.6)),
        ([Speedup(low=2), Speedup(high=0.5)], Speedup(low=1)),
        ([Speedup()], Speedup()),
    ],
)
def test_median_keeps_censored_runs(speedups, expected):
    assert median_speedup(speedups) == expected


@given(st.lists(st.tuples(st.floats(0.1, 9), st.sampled_from('=<>?')), min_size=1, max_size=9))
def test_median_bounds_hold_whatever_the_censored_values_are(drawn):
    bounds = {
        '=': lambda v: Speedup(v, v),
        '<': lambda v: Speedup(high=v * 1.1),
        '>': lambda v: Speedup(low=v * 0.9),
        '?': lambda v: Speedup(),
    }
    found = median_speedup([bounds[kind](value) for value, kind in drawn])
    assert found.low <= median(value for value, _ in drawn) <= found.high


def test_median_of_nothing_is_refused():
    with pytest.raises(ValueError, match='no speedups'):
        median_speedup([])


# -------------------------------------------------------------------------- tests on the pairs


def test_the_t_interval_is_that_of_the_textbook():
    # Mean 2, standard deviation 1, t(0.975, 2) = 4.302653.
    found = t_interval([1, 2, 3])
    assert found is not None
    assert found.mean == 2 and found.count == 3
    assert found.high - 2 == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    assert found.low == pytest.approx(4 - found.high)


@pytest.mark.parametrize('values', [[], [1.0], [1.0, nan], [1.0, inf]])
def test_no_interval_without_two_finite_values(values):
    assert t_interval(values) is None


def test_the_interval_of_ratios_is_that_of_their_logarithms():
    found = ratio_interval(exact(2, 2, 0.5, 0.5))
    assert found is not None
    assert found.mean == pytest.approx(1)
    assert found.low * found.high == pytest.approx(1)  # symmetric around 1 as a factor
    half = 3.182446 * (4 / 3 * log(2) ** 2) ** 0.5 / 2
    assert found.high == pytest.approx(e**half, rel=1e-6)


@pytest.mark.parametrize('speedups', [exact(1.5), [*exact(1.2, 1.4), Speedup(low=2)], []])
def test_no_interval_for_one_pair_or_with_a_bound(speedups):
    assert ratio_interval(speedups) is None


@pytest.mark.parametrize(
    ('speedups', 'expected'),
    [
        ([], Signs(0, 0, 0, None)),
        (exact(1.0), Signs(0, 0, 1, None)),
        (exact(1.2, 1.3, 1.4, 1.1, 2.0), Signs(5, 0, 0, 2 / 2**5)),
        (exact(1.2, 1.3, 1.4, 0.9), Signs(3, 1, 0, 2 * 5 / 2**4)),
        (exact(1.2, 0.9, 1.0), Signs(1, 1, 1, 1.0)),
        # A bound is never attained: not reached up to the same validation is slower than reached.
        ([Speedup(low=1), Speedup(high=1), Speedup()], Signs(1, 1, 1, 1.0)),
        ([Speedup(low=0.8), Speedup(high=1.2)], Signs(0, 0, 2, None)),
    ],
)
def test_sign_test(speedups, expected):
    assert sign_test(speedups) == expected


@given(st.integers(1, 30), st.integers(0, 30))
def test_the_sign_test_is_the_binomial_test(faster, slower):
    from scipy.stats import binomtest

    found = sign_test(exact(*[2.0] * faster, *[0.5] * slower)).p
    assert found == pytest.approx(binomtest(faster, faster + slower).pvalue)


# ------------------------------------------------------------------------ the mean curve


def test_the_mean_goes_as_far_as_every_seed(write_run):
    runs = [
        load_run(write_run('a', [0.1, 0.2, 0.3])),
        load_run(write_run('b', [0.3, 0.4], seed=1, finished=False)),
    ]
    mean = mean_run(runs)
    assert mean.times('iter') == [40, 80]
    assert mean.values == [0.2, (0.2 + 0.4) / 2]
    assert not mean.finished and mean.seed is None
    assert band(runs) == [(0.1, 0.3), (0.2, 0.4)]


def test_one_run_is_its_own_mean(write_run):
    run = load_run(write_run('a', [0.1, 0.2]))
    assert mean_run([run]) is run


def test_a_seed_that_broke_down_reaches_no_target_in_the_mean(write_run):
    runs = [load_run(write_run(n, v)) for n, v in (('a', [0.3, 0.5]), ('b', [nan, 0.5]))]
    assert crossing(mean_run(runs), 0.2) == Crossing(80, reached=True)


def test_the_mean_clock_is_the_mean_of_the_clocks(write_run):
    runs = [load_run(write_run(n, [0.1, 0.3])) for n in 'ab']
    assert crossing(mean_run(runs), 0.2, 'train_seconds') == Crossing(8, reached=True)
