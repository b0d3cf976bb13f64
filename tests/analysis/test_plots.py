import math

import pytest

from w2s_mm.analysis import compare, draw, load_run
from w2s_mm.analysis.plots import title

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.24]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]
NEVER = [0.05] * 6


@pytest.fixture
def load(write_run):
    return lambda *args, **kwargs: load_run(write_run(*args, **kwargs))


@pytest.mark.parametrize(
    ('base', 'ours', 'expected'),
    [
        (RISING, EARLY, 'AP50 20 reached 2.00x as fast with the teacher (one pair)'),
        (EARLY, EARLY, 'AP50 20 reached as soon as without the teacher (one pair)'),
        (NEVER, EARLY, 'AP50 20 reached at least 3.00x as fast with the teacher (one pair)'),
        (EARLY, NEVER, 'AP50 20 reached at most 0.33x as fast with the teacher (one pair)'),
        (NEVER, NEVER, 'AP50 20: no speedup can be told yet'),
    ],
)
def test_title_says_the_result(load, base, ours, expected):
    assert title(compare([load('ours', ours)], [load('base', base)], tau=0.2)) == expected


def test_title_without_baselines(load):
    assert title(compare([load('a', EARLY)], tau=0.2)) == 'AP50 20 reached after 80 iterations'
    assert title(compare([load('b', NEVER)], tau=0.2)) == 'AP50 20 not reached'


@pytest.mark.parametrize('suffix', ['png', 'svg'])
def test_pairs_are_drawn(load, schedule, tmp_path, suffix):
    told = {'reference': 0.25, 'schedule': schedule}
    ours = [load(f'ours{s}', EARLY, seed=s, closed_at=160, **told) for s in (0, 1)]
    base = [load('base0', RISING), load('base1', NEVER, seed=1)]
    picture = tmp_path / 'docs' / f'curves.{suffix}'
    draw(compare(ours, base, tau=0.2, clock='train_seconds'), picture)
    head = picture.read_bytes()[:100]
    assert head.startswith(b'\x89PNG' if suffix == 'png' else b'<?xml')


def test_an_svg_is_the_same_each_time(load, tmp_path):
    comparison = compare([load('ours', EARLY, reference=0.25)], tau=0.2)
    for name in ('a.svg', 'b.svg'):
        draw(comparison, tmp_path / name)
    assert (tmp_path / 'a.svg').read_bytes() == (tmp_path / 'b.svg').read_bytes()


@pytest.mark.parametrize('values', [[], [math.nan], [0.1], [0.3, 0.3]])
def test_a_run_that_has_hardly_begun_is_drawn(load, schedule, tmp_path, values):
    ours = load('ours', values, finished=False, reference=0.25, schedule=schedule)
    base = load('base', RISING)
    draw(compare([ours], [base], tau=0.2, clock='epoch'), tmp_path / 'curves.png')
    draw(compare([ours], tau=0.2), tmp_path / 'alone.png')


def test_a_lower_metric_is_drawn(load, tmp_path):
    ours = load('ours', [90, 70, 55], metric='fid', rule='less', reference=65, closed_at=120)
    base = load('base', [95, 80, 70], metric='fid', rule='less')
    comparison = compare([ours], [base], tau=60)
    assert title(comparison).startswith('FID 60 reached')
    draw(comparison, tmp_path / 'fid.png')
