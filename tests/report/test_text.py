import pytest

from w2s_mm.report import as_text, compare, load_run

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
    assert text.startswith('first@AP50 20 in epochs, 2 validations in a row')
    rows = [' '.join(line.split()) for line in text.splitlines()]
    assert 'a 0 2.00 24.0 25.0 -' in rows
    assert 'b 0 - - - -' in rows


def test_no_common_seed_is_said(write_run):
    base = load_run(write_run('base', RISING, seed=1))
    text = as_text(compare([load_run(write_run('ours', EARLY))], [base], tau=0.2))
    assert 'nothing to compare' in text


def test_one_pair_is_called_one_pair(write_run):
    runs = [load_run(write_run(name, curve)) for name, curve in (('a', EARLY), ('b', RISING))]
    assert 'One pair of runs does not show' in as_text(compare(runs[:1], runs[1:], tau=0.2))
