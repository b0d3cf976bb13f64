import json
import math

import pytest

from w2s_mm.analysis import Speedup, as_json, as_text, compare, load_run
from w2s_mm.analysis.report import metric_name, speedup_text

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
    assert lines[7] == (
        'Median speedup >= 2.50x of 2 pairs (2.00x, > 3.00x); mean final AP50 14.5 / 30.0.'
    )
    assert '"> T"' in lines[8]


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


def test_json_holds_raw_numbers_and_no_infinity(comparison):
    content = json.loads(json.dumps(as_json([comparison]), allow_nan=False))
    (written,) = content['comparisons']
    assert (written['tau'], written['clock']) == (0.2, 'iter')
    exact, bound = written['pairs']
    assert exact['speedup'] == {'value': 2, 'more_than': None, 'less_than': None}
    assert bound['speedup'] == {'value': None, 'more_than': 3, 'less_than': None}
    assert bound['baseline']['first_at'] is None
    assert bound['baseline']['not_reached_up_to'] == 240
    assert exact['ours']['gate_closed_at'] == 160
    assert (exact['ours']['final'], exact['ours']['best']) == (0.3, 0.31)
    assert written['median_speedup'] == {'value': None, 'at_least': 2.5, 'at_most': None}


def test_json_of_a_run_that_broke_down_is_valid(write_run):
    run = load_run(write_run('run', [0.1, math.nan]))
    (written,) = as_json([compare([run], tau=0.2)])['comparisons']
    assert json.dumps(written, allow_nan=False)
    assert written['pairs'][0]['ours']['final'] is None
    assert written['pairs'][0]['ours']['best'] == 0.1
