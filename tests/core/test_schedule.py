import math
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from w2s_mm.core.schedule import TemperatureRamp, WarmupHoldDecay
from w2s_mm.utils.errors import W2SError

LENGTH = st.one_of(st.just(0.0), st.floats(1e-3, 1e3))
SHAPE = st.sampled_from(['linear', 'cosine'])


@st.composite
def schedules(draw, length=LENGTH):
    lengths = [draw(length) for _ in range(3)]
    assume(sum(lengths) > 0)
    return WarmupHoldDecay(draw(st.floats(0, 100)), *lengths, shape=draw(SHAPE))


def progress(schedule):
    """Anything, and the places where a formula changes with their neighbours."""
    edges = [0.0, schedule.warmup, schedule.warmup + schedule.hold, total(schedule)]
    near = [math.nextafter(e, to) for e in edges for to in (-math.inf, math.inf)]
    return st.one_of(st.sampled_from(edges + near), st.floats(-10, 1.2 * total(schedule) + 1))


def total(schedule):
    return schedule.warmup + schedule.hold + schedule.decay


def written_out(schedule, u):
    """The schedule of METHOD.md in exact fractions."""
    top, warmup, hold, decay, u = map(
        Fraction, (schedule.lambda_max, schedule.warmup, schedule.hold, schedule.decay, u)
    )
    if u < 0 or u >= warmup + hold + decay:
        return 0.0
    if u < warmup:
        return float(top * u / warmup)
    if u <= warmup + hold:
        return float(top)
    x = (u - warmup - hold) / decay
    fallen = float(x) if schedule.shape == 'linear' else (1 - math.cos(math.pi * float(x))) / 2
    return float(top) * (1 - fallen)


@given(schedules(), st.data())
def test_weight_stays_within_bounds(schedule, data):
    assert 0 <= schedule(data.draw(progress(schedule))) <= schedule.lambda_max


@pytest.mark.parametrize('lengths', [(0.6, 0.454, 0.856), (0.3, 0.6, 0.1), (0.05, 0.35, 0.3)])
@pytest.mark.parametrize('shape', ['linear', 'cosine'])
def test_rounding_makes_no_weight_negative(lengths, shape):
    schedule = WarmupHoldDecay(2.0, *lengths, shape=shape)
    assert schedule(math.nextafter(schedule.length, 0)) >= 0


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
@example(0.1, 0.7)
@example(0.3, 0.6)
def test_without_decay_the_last_moment_is_still_the_plateau(warmup, hold):
    schedule = WarmupHoldDecay(2.0, warmup, hold, 0.0)
    assert schedule(math.nextafter(schedule.length, 0)) == 2.0
    assert schedule(schedule.length) == 0.0


@given(schedules(), st.data())
def test_weight_equals_the_formula(schedule, data):
    u = data.draw(progress(schedule))
    if schedule.decay == 0:  # a jump: one rounding error decides on which side u is
        assume(abs(u - schedule.length) > 1e-9 * schedule.length)
    assert schedule(u) == pytest.approx(written_out(schedule, u), abs=1e-9 * schedule.lambda_max)


@given(schedules(length=st.floats(1e-3, 1e3)), st.data())
def test_weight_is_continuous(schedule, data):
    u = data.draw(progress(schedule))
    v = data.draw(st.one_of(progress(schedule), st.floats(-1e-3, 1e-3).map(lambda d: u + d)))
    steepest = schedule.lambda_max * max(1 / schedule.warmup, math.pi / 2 / schedule.decay)
    slack = 1e-9 * schedule.lambda_max
    assert abs(schedule(u) - schedule(v)) <= steepest * abs(u - v) + slack


@given(schedules(), st.floats(min_value=0))
def test_weight_is_zero_outside(schedule, beyond):
    assert schedule(schedule.length + beyond) == 0
    assert schedule(-5e-324 - beyond) == 0


@given(schedules(), st.data())
def test_weight_rises_stays_and_falls(schedule, data):
    u, v = sorted(data.draw(progress(schedule)) for _ in range(2))
    plateau = schedule.warmup + schedule.hold
    slack = 1e-12 * schedule.lambda_max
    if u >= 0 and v <= schedule.warmup and v < schedule.length:
        assert schedule(u) <= schedule(v) + slack
    if schedule.warmup <= u:
        assert schedule(u) >= schedule(v) - slack
    if schedule.warmup <= u and v < plateau:
        assert schedule(u) == schedule(v) == schedule.lambda_max


@given(schedules(), st.data())
def test_weight_does_not_depend_on_what_was_asked_before(schedule, data):
    asked = [data.draw(progress(schedule)) for _ in range(5)]
    first = [schedule(u) for u in asked]
    resumed = WarmupHoldDecay(**vars(schedule))
    assert [resumed(u) for u in reversed(asked)][::-1] == first


def test_halves_of_both_shapes():
    linear = WarmupHoldDecay(2.0, warmup=4, hold=2, decay=4)
    cosine = WarmupHoldDecay(2.0, warmup=4, hold=2, decay=4, shape='cosine')
    assert [linear(u) for u in (0, 1, 2, 4, 5, 6, 7, 8, 9, 10)] == [
        0, 0.5, 1, 2, 2, 2, 1.5, 1, 0.5, 0,
    ]  # fmt: skip
    assert cosine(8) == pytest.approx(1)
    assert cosine(7) == pytest.approx(2 * (1 + math.cos(math.pi / 4)) / 2)
    assert cosine(1) == linear(1)


def test_no_warmup_starts_at_the_top():
    assert WarmupHoldDecay(3.0, warmup=0, hold=1, decay=1)(0) == 3.0


@pytest.mark.parametrize('name', ['lambda_max', 'warmup', 'hold', 'decay'])
@pytest.mark.parametrize('value', [-0.1, math.nan, math.inf, '3', None])
def test_bad_number_is_named(name, value):
    arguments = {'lambda_max': 1.0, 'warmup': 1, 'hold': 1, 'decay': 1, name: value}
    with pytest.raises(W2SError, match=rf'schedule\.{name} is {value!r}'):
        WarmupHoldDecay(**arguments)


@pytest.mark.parametrize('name', ['unit', 'shape'])
def test_unknown_choice_is_named(name):
    with pytest.raises(W2SError, match=rf"schedule\.{name} is 'epochs'.*expected one of"):
        WarmupHoldDecay(1.0, 1, 1, 1, **{name: 'epochs'})


def test_a_weight_of_zero_has_no_length():
    assert WarmupHoldDecay(0.0, 1, 1, 1).length == 0
    assert WarmupHoldDecay(0.1, 1, 1, 1).length == 3


def test_schedule_of_no_length_is_refused():
    with pytest.raises(W2SError, match='all 0'):
        WarmupHoldDecay(1.0, 0, 0, 0)


@given(st.floats(0.1, 20), st.floats(0.1, 20), st.floats(1e-3, 1e3), SHAPE, st.floats(-1, 2))
def test_temperature_stays_between_its_ends(start, end, length, shape, fraction):
    ramp = TemperatureRamp(start, end, length, shape=shape)
    slack = 1e-9 * (start + end)
    found = ramp(fraction * length)
    assert min(start, end) - slack <= found <= max(start, end) + slack
    if fraction <= 0:
        assert found == start
    if fraction > 1:
        assert found == pytest.approx(end)


def test_temperature_of_the_paper():
    ramp = TemperatureRamp(6, 1, length=10, unit='iter')
    assert [ramp(u) for u in (-10, 0, 2, 5, 10, 70)] == [6, 6, 5, 3.5, 1, 1]
    assert TemperatureRamp(6, 1, 10, shape='cosine')(5) == pytest.approx(3.5)
    assert [TemperatureRamp(2)(u) for u in (-1, 0, 0.5, 1, 2)] == [2] * 5


@pytest.mark.parametrize('value', [0, -1, math.nan, math.inf, '2'])
@pytest.mark.parametrize('name', ['start', 'end', 'length'])
def test_bad_temperature_is_named(name, value):
    arguments = {'start': 2.0, 'end': 1.0, 'length': 3.0, name: value}
    with pytest.raises(W2SError, match=rf'temperature\.{name} is {value!r}'):
        TemperatureRamp(**arguments)


@pytest.mark.parametrize('alone', [{'end': 1.0}, {'length': 10}])
def test_a_ramp_needs_an_end_and_a_length(alone):
    with pytest.raises(W2SError, match='expected both or neither'):
        TemperatureRamp(6.0, **alone)


@pytest.mark.parametrize('name', ['unit', 'shape'])
def test_unknown_choice_of_a_temperature_is_named(name):
    with pytest.raises(W2SError, match=rf"temperature\.{name} is 'step'"):
        TemperatureRamp(6, 1, 10, **{name: 'step'})
