import pytest

from w2s_mm.report import gather
from w2s_mm.report.page import build_page
from w2s_mm.report.plot_band import band_points, draw_band, has_band

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.3]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]


@pytest.fixture
def study(write_run):
    """Students of three teachers, two seeds each; the middle one never reaches the target."""
    base = [write_run(f'base_seed{s}', RISING, seed=s) for s in (0, 1)]
    runs = [
        write_run(f'{name}_seed{s}', values, seed=s, reference=reference)
        for name, values, reference in (
            ('strong', EARLY, 0.33),
            ('weak', [0.01] * 6, 0.15),
            ('suitable', EARLY, 0.27),
        )
        for s in (0, 1)
    ]
    return gather(runs, base)


def test_points_are_sorted_by_the_distance_of_the_teacher_from_the_baseline(study):
    points = band_points(study, 0.2)
    assert [point.name for point in points] == ['weak', 'suitable', 'strong']
    assert [point.gap for point in points] == pytest.approx([-50, -10, 10])
    assert points[1].levels[0].mean.speedup.low == 2


def test_a_lower_metric_has_the_other_sign(write_run):
    fid = {'metric': 'fid', 'rule': 'less', 'thresholds': (60,)}
    base = write_run('base', [95, 80, 50], **fid)
    ours = [write_run(n, [90, 70, 55], reference=r, **fid) for n, r in (('a', 55), ('b', 45))]
    assert [point.gap for point in band_points(gather(ours, [base]), 60)] == [-10, 10]


def test_one_teacher_makes_no_band(write_run):
    base = [write_run('base', RISING)]
    ours = [write_run(name, EARLY, reference=0.25) for name in ('a', 'b')]
    assert not has_band(gather(ours, base)) and not has_band(gather(ours[:1], base))
    assert not has_band(gather([*ours[:1], write_run('plain', EARLY)], base))


def test_it_is_drawn_in_the_report(study, tmp_path):
    assert has_band(study)
    names = [getattr(block, 'name', None) for block in build_page(study).blocks]
    assert names.count('band') == 1
    draw_band(study, 0.2, tmp_path / 'band.png')
    draw_band(study, 0.2, tmp_path / 'band.svg', 'svg', narrow=True)
    assert min(path.stat().st_size for path in tmp_path.glob('band.*')) > 5000
