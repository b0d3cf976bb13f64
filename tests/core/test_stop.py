import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_mm.core.metric import surpasses
from w2s_mm.core.stop import NeverStop, SurpassGate
from w2s_mm.utils.errors import W2SError

VALUES = st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(math.nan)), max_size=12)


def opened(reference, k=2, rule='greater'):
    gate = SurpassGate(k, rule)
    gate.open(reference)
    return gate


def closing_index(hits, k):
    """First place where the last ``k`` are all hits."""
    ends = range(k, len(hits) + 1)
    return next((end - 1 for end in ends if all(hits[end - k : end])), None)


@given(VALUES, st.sampled_from(['greater', 'less']), st.integers(1, 4))
def test_closes_at_the_first_k_in_a_row(values, rule, k):
    gate = opened(0.0, k, rule)
    closing = [gate.observe(value, 10 * i) for i, value in enumerate(values)]
    hits = [value >= 0 if rule == 'greater' else value <= 0 for value in values]
    at = closing_index(hits, k)
    assert gate.closed_at == (None if at is None else 10 * at)
    assert gate.closed == (at is not None)
    assert closing == [at is not None and i >= at for i in range(len(values))]
    assert [entry['iter'] for entry in gate.history] == [10 * i for i in range(len(values))]


def test_streak_restarts_after_a_miss_and_after_nan():
    gate = opened(0.5, k=3)
    streaks = []
    for i, value in enumerate([0.5, 0.6, 0.4, 0.7, math.nan, 0.5, 0.5]):
        gate.observe(value, i)
        streaks.append(gate.streak)
    assert streaks == [1, 2, 0, 1, 0, 1, 2]
    assert not gate.closed


def test_closed_for_good():
    gate = opened(0.5, k=1)
    assert gate.observe(0.6, 10)
    assert gate.observe(0.1, 20)
    assert gate.observe(0.9, 30)
    assert gate.closed and gate.closed_at == 10
    assert [entry['streak'] for entry in gate.history] == [1, 0, 1]


@pytest.mark.parametrize(('rule', 'better'), [('greater', 0.6), ('less', 0.4)])
def test_equal_surpasses_and_nan_never(rule, better):
    assert surpasses(0.5, 0.5, rule) and surpasses(better, 0.5, rule)
    assert not surpasses(1 - better, 0.5, rule)
    assert not surpasses(math.nan, 0.5, rule)


@given(VALUES, VALUES, st.integers(1, 3))
def test_state_out_and_in_goes_on_as_if_never_stopped(before, after, k):
    whole, first, resumed = (opened(1.0, k) for _ in range(3))
    for i, value in enumerate(before):
        whole.observe(value, i)
        first.observe(value, i)
    resumed.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for i, value in enumerate(after, start=len(before)):
        assert whole.observe(value, i) == resumed.observe(value, i)
    assert repr(whole.state_dict()) == repr(resumed.state_dict())  # repr: NaN equals itself


def test_configured_rule_and_k_survive_a_restored_state():
    old = opened(0.5, k=2)
    old.observe(0.6, 10)
    new = opened(0.0, k=3)
    new.load_state_dict(old.state_dict())
    assert (new.k, new.rule, new.reference, new.streak) == (3, 'greater', 0.5, 1)
    assert not new.observe(0.6, 20)
    assert new.observe(0.6, 30)


def test_state_is_a_copy():
    gate = opened(0.5)
    gate.observe(0.6, 10)
    state = gate.state_dict()
    gate.observe(0.6, 20)
    other = opened(0.5)
    other.load_state_dict(state)
    other.observe(0.1, 20)
    assert len(state['history']) == 1 and state['closed_at'] is None
    assert gate.closed and other.streak == 0


@given(VALUES, st.integers(1, 3), st.data())
def test_an_iteration_that_is_observed_again_changes_nothing(values, k, data):
    once, again = opened(0.0, k), opened(0.0, k)
    for i, value in enumerate(values):
        expected = once.observe(value, i)
        assert again.observe(value, i) == expected
        repeated = data.draw(st.integers(0, i))
        assert again.observe(data.draw(st.floats(-3, 3)), repeated) == expected
    assert repr(once.state_dict()) == repr(again.state_dict())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'rule': 'higher'}, "rule is 'higher'"),
        ({'k': 0}, 'stop.k is 0'),
        ({'k': 1.5}, 'stop.k is 1.5'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(W2SError, match=message):
        SurpassGate(**arguments)


@pytest.mark.parametrize('reference', [math.nan, math.inf])
def test_a_reference_that_is_not_finite_is_refused(reference):
    with pytest.raises(W2SError, match=f'reference metric is {reference}'):
        SurpassGate().open(reference)


def test_without_a_reference_nothing_is_observed():
    with pytest.raises(W2SError, match='open'):
        SurpassGate().observe(0.5, 10)


def test_no_stop_never_stops():
    stop = NeverStop()
    stop.open(0.1)
    assert not any(stop.observe(1.0, i) for i in range(100))
