"""Titles and headlines."""

import pytest

from w2s_mm.report import gather
from w2s_mm.report.sentences import headline, title

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.24]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]
NEVER = [0.05] * 6


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


def test_a_headline_that_counts_sustained_crossings_says_so(write_run):
    ours = write_run('ours', [0.1, 0.22, 0.1, 0.31, 0.3, 0.3], reference=0.25)
    study = gather([ours], [write_run('base', RISING)], sustained=True)
    assert title(study, 0.2) == (
        'AP50 20, 2 in a row, reached as soon as without the teacher (one pair)'
    )
    assert '160 iterations instead of 160' in headline(study, study.variants[0], 0.2)


def test_the_headline_has_every_level_the_seconds_and_the_end(write_run):
    ours = [write_run(f'ours_seed{s}', EARLY, seed=s, reference=0.25) for s in (0, 1)]
    base = [write_run(f'base_seed{s}', RISING, seed=s) for s in (0, 1)]
    study = gather(ours, base)
    assert headline(study, study.variants[0], 0.2) == (
        'AP50 20 is reached 2.00x as fast with the teacher: 80 iterations instead of 160 (mean of '
        '2 pairs; faster: 2 of 2, p = 0.5; median of the pairs 2.00x, 95% interval 2.00x to 2.00x).'
        " Speedup to other levels: the teacher's level 1.67x, 95 % of the baseline's final metric "
        "1.67x, the baseline's final metric 1.67x. In seconds of training, to the target: 2.00x. "
        'Final AP50, paired difference: +6.0 (+6.0 to +6.0).'
    )
