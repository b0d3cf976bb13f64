"""The interval against answers known beforehand."""

from math import comb, inf

import pytest

from w2s_mm.report import Speedup
from w2s_mm.report.bootstrap import bootstrap_median


def exact(*values):
    return [Speedup(value, value) for value in values]


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
