import math

import pytest

from w2s_mm.report import gather
from w2s_mm.report.plot_speedups import draw_speedups

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.3]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]


def test_speedups_are_drawn_for_pairs_and_for_variants(write_run, tmp_path):
    ours = [write_run(f'ours_seed{s}', EARLY, seed=s, reference=0.25) for s in (0, 1)]
    base = [write_run(f'base_seed{s}', RISING, seed=s) for s in (0, 1)]
    draw_speedups(gather(ours, base), 0.2, tmp_path / 'one.png')
    other = write_run('other_seed0', RISING)
    draw_speedups(gather([*ours, other], base), 0.2, tmp_path / 'two.png', narrow=True)
    assert min(path.stat().st_size for path in tmp_path.glob('*.png')) > 5000


@pytest.mark.parametrize('values', [[], [math.nan], [0.1], [0.3, 0.3]])
def test_runs_that_have_hardly_begun_are_drawn(write_run, tmp_path, values):
    ours = write_run('ours', EARLY, reference=0.25)
    base = write_run('base', values, finished=False)
    draw_speedups(gather([ours], [base]), 0.2, tmp_path / 'a.png')


def test_a_lower_metric_is_drawn(write_run, tmp_path):
    fid = {'metric': 'fid', 'rule': 'less', 'thresholds': (60,)}
    ours = write_run('ours', [90, 70, 55], reference=65, **fid)
    draw_speedups(gather([ours], [write_run('base', [95, 80, 70], **fid)]), 60, tmp_path / 'a.png')
