import json
import math

import pytest

from w2s_mm.report import Speedup, as_json, as_text, compare, gather, load_run
from w2s_mm.report.wording import interval_text, metric_name, speedup_text

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.24]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]
NEVER = [0.05] * 6


@pytest.fixture
def comparison(write_run):
    ours = [
        load_run(write_run(f'ours{s}', EARLY, seed=s, reference=0.25, closed_at=160))
        for s in (0, 1)
    ]
    base = [load_run(write_run(f'base{s}', c, seed=s)) for s, c in enumerate([RISING, NEVER])]
    return compare(ours, base, tau=0.2)


@pytest.mark.parametrize(
    ('speedup', 'alone', 'median'),
    [
        (Speedup(1.4, 1.4), '1.40x', '1.40x'),
        (Speedup(low=2), '> 2.00x', '>= 2.00x'),
        (Speedup(high=0.5), '< 0.50x', '<= 0.50x'),
        (Speedup(1, 2), '1.00x to 2.00x', '1.00x to 2.00x'),
        (Speedup(), '-', '-'),
        (None, '-', '-'),
    ],
)
def test_speedup_text(speedup, alone, median):
    assert speedup_text(speedup) == alone
    assert speedup_text(speedup, median=True) == median


@pytest.mark.parametrize(
    ('metric', 'name'),
    [
        ('coco/bbox_mAP_50', 'AP50'),
        ('coco/bbox_mAP', 'AP'),
        ('accuracy/top1', 'Top-1'),
        ('fid', 'FID'),
        ('val/loss', 'loss'),
    ],
)
def test_metric_name_is_what_a_reader_expects(metric, name):
    assert metric_name(metric) == name


def test_table_shows_both_sides_with_ap_in_percent(comparison):
    lines = as_text(comparison).splitlines()
    assert lines[0] == 'first@AP50 20 in iterations'
    rows = [' '.join(line.split()) for line in lines[4:6]]
    assert rows[0] == '0 160 80 2.00x 24.0 / 30.0 25.0 / 31.0 160'
    assert rows[1] == '1 > 240 80 > 3.00x 5.0 / 30.0 5.0 / 31.0 160'
    assert lines[7:10] == [
        'Mean curve of 2 seeds: > 240 / 80, > 3.00x.',
        'Median speedup >= 2.50x of 2 pairs (2.00x, > 3.00x); mean final AP50 14.5 / 30.0.',
        '95% bootstrap interval of the median: 2.00x to unknown.',
    ]
    assert '"> T"' in lines[10]


def test_table_without_baselines_names_the_runs(write_run):
    runs = [load_run(write_run(name, curve)) for name, curve in (('a', RISING), ('b', []))]
    text = as_text(compare(runs, tau=0.2, clock='epoch', sustained=True))
    assert text.startswith('first@AP50 20 in epochs, held for 2 evaluations')
    rows = [' '.join(line.split()) for line in text.splitlines()]
    assert 'a 0 2.00 24.0 25.0 -' in rows
    assert 'b 0 - - - -' in rows


def test_no_common_seed_is_said(write_run):
    base = load_run(write_run('base', RISING, seed=1))
    text = as_text(compare([load_run(write_run('ours', EARLY))], [base], tau=0.2))
    assert 'nothing to compare' in text


def test_one_pair_is_called_one_pair(write_run):
    runs = [load_run(write_run(name, curve)) for name, curve in (('a', EARLY), ('b', RISING))]
    assert 'One pair of runs: it says nothing about luck.' in as_text(
        compare(runs[:1], runs[1:], tau=0.2)
    )


@pytest.mark.parametrize(
    ('interval', 'text'),
    [
        (None, '-'),
        (Speedup(1.25, 1.67), '1.25x to 1.67x'),
        (Speedup(low=2), '2.00x to unknown'),
        (Speedup(high=0.5), 'unknown to 0.50x'),
    ],
)
def test_interval_text(interval, text):
    assert interval_text(interval) == text


def test_json_holds_raw_numbers_and_no_infinity(write_run):
    ours = [write_run(f'ours{s}', EARLY, seed=s, reference=0.25, closed_at=160) for s in (0, 1)]
    base = [write_run(f'base{s}', c, seed=s) for s, c in enumerate([RISING, NEVER])]
    content = json.loads(json.dumps(as_json(gather(ours, base)), allow_nan=False))
    (variant,) = content['variants']
    assert (variant['name'], content['baseline']) == ('ours', 'base')
    clocks = [(c['clock'], c['hits_in_a_row']) for c in variant['comparisons']]
    assert clocks == [
        (clock, k) for clock in ('iter', 'train_seconds', 'wall_seconds') for k in (1, 2)
    ]
    written = variant['comparisons'][0]
    exact, bound = written['pairs']
    assert exact['speedup'] == {'value': 2, 'at_least': None, 'at_most': None}
    assert bound['speedup'] == {'value': None, 'at_least': 3, 'at_most': None}
    assert bound['baseline']['first_at'] is None
    assert bound['baseline']['not_reached_up_to'] == 240
    assert (exact['ours']['final'], exact['ours']['best']) == (0.3, 0.31)
    assert written['median_speedup'] == {'value': None, 'at_least': 2.5, 'at_most': None}
    assert written['interval'] == {'at_least': 2, 'at_most': None}
    assert written['mean_curve']['baseline']['not_reached_up_to'] == 240
    assert content['runs'][2]['gate_closed_at'] == 160
    assert content['bootstrap'] == {'confidence': 0.95, 'resamples': 10_000, 'seed': 0}


def test_json_of_a_run_that_broke_down_is_valid(write_run):
    content = as_json(gather([write_run('run', [0.1, math.nan])]))
    assert json.dumps(content, allow_nan=False)
    ours = content['variants'][0]['comparisons'][0]['pairs'][0]['ours']
    assert (ours['final'], ours['best']) == (None, 0.1)
