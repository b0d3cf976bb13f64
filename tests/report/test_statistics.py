from math import comb, inf, nan
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_mm.report import Crossing, Speedup, crossing, load_run, median_speedup, speedup
from w2s_mm.report.statistics import band, bootstrap_median, mean_run

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


# ------------------------------------------------------------------ the bootstrap interval


def test_equal_ratios_leave_nothing_to_luck():
    assert bootstrap_median(exact(1.5, 1.5, 1.5)) == Speedup(1.5, 1.5)


@pytest.mark.parametrize('speedups', [[], exact(1.5)])
def test_one_pair_says_nothing(speedups):
    assert bootstrap_median(speedups) is None


def test_two_pairs_span_both():
    # The four resamples have the medians 1, 1.5, 1.5 and 2: each end has a quarter.
    assert bootstrap_median(exact(1.0, 2.0)) == Speedup(1, 2)


@pytest.mark.parametrize('count', [5, 11, 17])
def test_its_ends_are_those_of_the_binomial(count):
    """The median of resamples is at most the j-th value if at least half of the draws are."""

    def at_most(j):
        part = j / count
        return sum(
            comb(count, i) * part**i * (1 - part) ** (count - i)
            for i in range((count + 1) // 2, count + 1)
        )

    low = next(j for j in range(1, count + 1) if at_most(j) > 0.025)
    high = next(j for j in range(1, count + 1) if at_most(j) >= 0.975)
    # Where the two are so near that the drawing decides, the example would be a bad one.
    assert min(abs(at_most(j) - p) for j in range(1, count) for p in (0.025, 0.975)) > 0.003
    assert bootstrap_median(exact(*range(1, count + 1))) == Speedup(low, high)


def test_five_pairs_or_fewer_span_the_least_to_the_greatest():
    assert bootstrap_median(exact(1.67, 1.55, 1.64, 1.25, 1.33)) == Speedup(1.25, 1.67)


def test_a_baseline_that_never_arrived_leaves_the_upper_end_open():
    found = bootstrap_median([*exact(1.2, 1.4), Speedup(low=2)])
    assert found == Speedup(1.2, inf)


def test_a_run_of_ours_that_never_arrived_leaves_the_lower_end_open():
    assert bootstrap_median([*exact(1.2, 1.4), Speedup(high=0.5)]) == Speedup(0, 1.4)


def test_one_open_end_among_many_is_outside():
    assert bootstrap_median([*exact(*[1.5] * 20), Speedup(low=2)]) == Speedup(1.5, 1.5)


def test_the_same_seed_gives_the_same_interval_and_another_may_not():
    speedups = exact(*(1 + i / 10 for i in range(8)))
    few = [bootstrap_median(speedups, resamples=20, seed=seed) for seed in (0, 0, 1, 2, 3)]
    assert few[0] == few[1] and len(set(few)) > 1


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
