import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_mm.core.metric import check_metric_range, first_at, pick_metric, sustained_at
from w2s_mm.utils.errors import W2SError

NAN = math.nan
values = st.lists(st.floats(0, 1) | st.just(NAN), max_size=30)
thresholds = st.floats(0.1, 0.9)


@pytest.mark.parametrize(
    ('curve', 'rule', 'expected'),
    [
        ([0.1, 0.2, 0.1], 'greater', 1),
        ([0.3], 'greater', 0),
        ([0.1, 0.19], 'greater', None),
        ([], 'greater', None),
        ([0.5, 0.2, 0.1], 'less', 1),
        ([0.5, 0.21], 'less', None),
        ([NAN, 0.3], 'greater', 1),
        ([NAN, NAN], 'less', None),
    ],
)
def test_first_at_is_the_first_evaluation_at_or_beyond_the_target(curve, rule, expected):
    assert first_at(curve, 0.2, rule) == expected


@pytest.mark.parametrize(
    ('curve', 'k', 'expected'),
    [
        ([0.3, 0.1, 0.3, 0.3], 2, 2),
        ([0.3, 0.3, 0.1], 2, 0),
        ([0.3, 0.1, 0.3], 2, None),
        ([0.3, NAN, 0.3, 0.3, 0.3], 3, 2),
        ([0.3, 0.3], 3, None),
    ],
)
def test_sustained_at_is_where_the_first_long_enough_row_begins(curve, k, expected):
    assert sustained_at(curve, 0.2, 'greater', k) == expected


@given(values, thresholds, st.integers(1, 4))
def test_sustained_at_begins_k_hits_and_none_begin_before(curve, tau, k):
    index = sustained_at(curve, tau, 'greater', k)
    begins = [
        i for i in range(len(curve) - k + 1) if all(value >= tau for value in curve[i : i + k])
    ]
    assert index == (begins[0] if begins else None)


@given(values, thresholds, st.integers(1, 4))
def test_lower_is_better_mirrors_higher_is_better(curve, tau, k):
    mirrored = [-value for value in curve]
    assert sustained_at(curve, tau, 'less', k) == sustained_at(mirrored, -tau, 'greater', k)


@given(values, thresholds, st.integers(1, 4))
def test_a_sustained_crossing_is_never_sooner_than_the_first(curve, tau, k):
    first, sustained = first_at(curve, tau, 'greater'), sustained_at(curve, tau, 'greater', k)
    assert sustained is None or (first is not None and first <= sustained)


@pytest.mark.parametrize(
    ('metric', 'value', 'fits'),
    [
        ('coco/bbox_mAP_50', 0.4, True),
        ('coco/bbox_mAP_50', 40.0, False),
        ('pascal_voc/mAP', 40.0, False),
        ('multi-label/mAP', 40.0, True),  # MMPretrain gives percent
        ('accuracy/top1', 70.0, True),
        ('accuracy/top1', 0.0, False),
        ('FID', float('inf'), False),
    ],
)
def test_range_of_a_metric(metric, value, fits):
    if fits:
        check_metric_range(metric, value, 'It')
    else:
        with pytest.raises(W2SError, match=f'It is {value}'):
            check_metric_range(metric, value, 'It')


def test_nothing_to_evaluate_counts_as_the_worst_value():
    assert pick_metric({}, 'coco/bbox_mAP_50', 'greater') == 0
    assert pick_metric({}, 'FID', 'less') == math.inf
    # Another evaluator reports, and COCO found no box.
    assert pick_metric({'accuracy/top1': 50.0}, 'coco/bbox_mAP_50', 'greater') == 0
    assert pick_metric({'coco/AR@100': 0.5}, 'coco/bbox_mAP_50', 'greater', known=True) == 0


@pytest.mark.parametrize('name', ['coco/bbox_mAP50', 'bbox_mAP_50'])
def test_a_name_that_its_evaluator_does_not_report_is_an_error(name):
    with pytest.raises(W2SError, match=r'It reports: coco/bbox_mAP_50\. Set'):
        pick_metric({'coco/bbox_mAP_50': 0.5}, name, 'greater')
