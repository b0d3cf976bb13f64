import math

import pytest

from w2s_mm.advice.band import Band, Baseline, finished_baseline
from w2s_mm.report.runs import load_run
from w2s_mm.utils.errors import W2SError

AP50 = 'coco/bbox_mAP_50'


@pytest.mark.parametrize(
    ('value', 'verdict'),
    [
        (0.0, 'too weak'),
        (0.3399, 'too weak'),
        (0.34, 'suitable'),  # exactly 15 % below, where 0.06 / 0.4 is 0.15000000000000002
        (0.37, 'suitable'),
        (0.3999, 'suitable'),
        (0.4, 'too strong'),  # as good as the baseline is not weaker
        (0.5, 'too strong'),
    ],
)
def test_verdicts(value, verdict):
    assert Band(AP50, 'greater', 0.4).verdict(value) == verdict


@pytest.mark.parametrize(
    ('value', 'verdict'),
    [
        (70.0, 'too weak'),
        (60.0 * 1.15, 'suitable'),
        (61.0, 'suitable'),
        (60.0, 'too strong'),
        (52.0, 'too strong'),
    ],
)
def test_verdicts_where_lower_is_better(value, verdict):
    assert Band('fid', 'less', 60.0).verdict(value) == verdict


@pytest.mark.parametrize(
    ('value', 'verdict'), [(0.128, 'too weak'), (0.195, 'suitable'), (0.262, 'too strong')]
)
def test_the_papers_coco_teachers_get_the_papers_verdicts(value, verdict):
    assert Band(AP50, 'greater', 0.2255).verdict(value) == verdict


@pytest.mark.parametrize('width', [0.0, -0.1, 1.0, 15, math.nan])
def test_a_band_that_is_no_fraction_is_refused(width):
    with pytest.raises(W2SError, match=r'For 15 % type: --band 0\.15'):
        Band(AP50, 'greater', 0.4, width)


@pytest.mark.parametrize(
    ('rule', 'gap', 'text'),
    [
        ('greater', 0.0625, '6.2 % below the baseline'),
        ('greater', -0.1, '10 % above the baseline'),
        ('less', 0.1, '10 % above the baseline'),
        ('less', -0.1, '10 % below the baseline'),
        ('greater', 0.0, 'as good as the baseline'),
    ],
)
def test_a_gap_in_words(rule, gap, text):
    assert Band(AP50, rule, 0.4).distance_text(gap) == text


def test_baseline_is_the_best_validation_and_says_the_last(write_run):
    run = load_run(write_run('base', [0.2, 0.42, 0.4]))
    found = finished_baseline([run], AP50, 'greater')
    assert found == Baseline(0.42, 'best validation of base; last: 40.0')


def test_baseline_where_lower_is_better(write_run):
    run = load_run(write_run('base', [90.0, 55.0, 60.0], metric='fid', rule='less'))
    assert finished_baseline([run], 'fid', 'less').value == 55.0


def test_baselines_of_several_seeds_are_averaged(write_run):
    runs = [load_run(write_run(f'b{i}', [0.3, best, 0.3])) for i, best in enumerate((0.4, 0.44))]
    found = finished_baseline(runs, AP50, 'greater')
    assert found.value == pytest.approx(0.42)
    assert found.source == 'mean of the best validations of 2 runs; mean of the last: 30.0'


@pytest.mark.parametrize(
    ('values', 'settings', 'match'),
    [
        (
            [0.4],
            {'metric': 'coco/bbox_mAP'},
            r'evaluated by coco/bbox_mAP_50 .* measured coco/bbox_mAP',
        ),
        ([0.4], {'rule': 'less'}, r'\(less is better\)'),
        ([0.4], {'reference': 0.3}, 'was trained with a teacher; expected a run without'),
        ([], {}, 'no validation with a coco/bbox_mAP_50 above 0'),
        ([0.0, math.nan], {}, 'no validation with a coco/bbox_mAP_50 above 0'),
    ],
)
def test_a_run_that_is_no_baseline_is_refused(write_run, values, settings, match):
    run = load_run(write_run('base', values, **settings))
    with pytest.raises(W2SError, match=match):
        finished_baseline([run], AP50, 'greater')


def test_unfinished_baseline_is_noted(write_run):
    run = load_run(write_run('base', [0.4], finished=False))
    (note,) = finished_baseline([run], AP50, 'greater').notes
    assert note.startswith('Not finished: base.')
