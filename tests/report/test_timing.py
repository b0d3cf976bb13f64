from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_mm.report import Crossing, Speedup, crossing, load_run, median_speedup, speedup

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
