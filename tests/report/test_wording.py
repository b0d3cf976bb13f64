import pytest

from w2s_mm.report import Speedup, gather
from w2s_mm.report.wording import interval_text, metric_name, speedup_text, title

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.24]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]
NEVER = [0.05] * 6


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


@pytest.mark.parametrize(
    ('base', 'ours', 'expected'),
    [
        (RISING, EARLY, 'AP50 20 reached 2.00x as fast with the teacher (one pair)'),
        (EARLY, EARLY, 'AP50 20 reached as soon as without the teacher (one pair)'),
        (NEVER, EARLY, 'AP50 20 reached at least 3.00x as fast with the teacher (one pair)'),
        (EARLY, NEVER, 'AP50 20 reached at most 0.33x as fast with the teacher (one pair)'),
        (NEVER, NEVER, 'AP50 20: the speedup is not known yet'),
    ],
)
def test_title_says_the_result(write_run, base, ours, expected):
    taught = write_run('ours', ours, reference=0.25)
    assert title(gather([taught], [write_run('base', base)]), 0.2) == expected


@pytest.mark.parametrize(
    ('base', 'expected'),
    [(RISING, 'reached 2.00x as fast as the baseline'), (EARLY, 'reached as soon as by the')],
)
def test_title_of_a_variant_without_a_teacher_mentions_none(write_run, base, expected):
    study = gather([write_run('double_lr', EARLY)], [write_run('base', base)])
    assert expected in title(study, 0.2) and 'teacher' not in title(study, 0.2)


def test_title_without_baselines(write_run):
    assert title(gather([write_run('a', EARLY)]), 0.2) == 'AP50 20 reached after 80 iterations'
    assert title(gather([write_run('b', NEVER)]), 0.2) == 'AP50 20 not reached'


def test_title_of_several_seeds_and_of_several_variants(write_run):
    ours = [write_run(f'ours_seed{s}', EARLY, seed=s, reference=0.25) for s in (0, 1)]
    base = [write_run(f'base_seed{s}', RISING, seed=s) for s in (0, 1)]
    assert title(gather(ours, base), 0.2).endswith(
        '2.00x as fast with the teacher (mean of 2 pairs)'
    )
    assert 'means of the seeds' in title(gather([*ours, write_run('other', NEVER)], base), 0.2)


def test_title_of_a_lower_metric(write_run):
    fid = {'metric': 'fid', 'rule': 'less', 'thresholds': (60,)}
    ours = write_run('ours', [90, 70, 55], reference=65, **fid)
    study = gather([ours], [write_run('base', [95, 80, 70], **fid)])
    assert title(study, 60) == 'FID 60 reached at least 1.00x as fast with the teacher (one pair)'
