import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_mm.core.schedule import WarmupHoldDecay
from w2s_mm.utils.polyline import Polyline


def drawn(values, tolerance=1e-3):
    line = Polyline(tolerance)
    for x, y in enumerate(values):
        line.add(x, y)
    return line


def read(points, x):
    """The curve that straight lines between the points give."""
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[0][1]


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_every_value_is_kept_within_the_tolerance(values):
    line = drawn(values, tolerance=0.01)
    for x, value in enumerate(values):
        assert read(line.points, x) == pytest.approx(value, abs=0.011 * max(values) + 1e-9)


def test_straight_pieces_keep_their_ends_alone():
    schedule = WarmupHoldDecay(2.0, warmup=10, hold=30, decay=20)
    line = drawn([schedule(u) for u in range(100)])
    assert [point[0] for point in line.points] == [0, 10, 40, 60, 99]


def test_a_curve_is_kept_with_few_points():
    schedule = WarmupHoldDecay(2.0, warmup=100, hold=300, decay=2000, shape='cosine')
    line = drawn([schedule(u) for u in range(3000)])
    assert len(line.points) < 60


@given(st.lists(st.floats(0, 5), min_size=1, max_size=40), st.integers(0, 40))
def test_continued_from_its_state_it_is_the_same(values, cut):
    whole, first, second = drawn(values), drawn(values[:cut]), Polyline()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for x, y in list(enumerate(values))[cut:]:
        second.add(x, y)
    assert second.points == whole.points
