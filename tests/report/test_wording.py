from math import inf

import pytest

from w2s_mm.report import Speedup
from w2s_mm.report.statistics import Interval, Signs
from w2s_mm.report.wording import (
    final_text,
    interval_text,
    metric_name,
    signs_text,
    speedup_text,
    students_text,
)


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


def test_interval_text():
    assert interval_text(None) == '-'
    assert interval_text(Interval(1.4, 1.25, 1.67, 5)) == '1.25x to 1.67x'


def test_a_difference_has_its_sign_and_the_scale_of_the_page():
    assert final_text(Interval(0.051, -0.02, 0.082, 5), 'coco/bbox_mAP_50') == '+5.1 (-2.0 to +8.2)'
    assert final_text(Interval(-0.6, -0.9, -0.3, 3), 'fid') == '-0.6 (-0.9 to -0.3)'
    assert final_text(None, 'fid') == '-'


@pytest.mark.parametrize(
    ('signs', 'text'),
    [
        (Signs(0, 0, 0, None), '-'),
        (Signs(1, 0, 0, 1.0), '1 of 1'),
        (Signs(4, 1, 0, 0.375), '4 of 5, p = 0.38'),
        (Signs(3, 0, 2, 0.25), '3 of 5, p = 0.25'),
    ],
)
def test_signs_text(signs, text):
    assert signs_text(signs) == text


@pytest.mark.parametrize(
    ('students', 'text'),
    [
        (None, '-'),
        (inf, 'never'),
        (0.2, 'after 1 student'),
        (1.0, 'after 1 student'),
        (1.1, 'after 2 students'),
    ],
)
def test_students_text(students, text):
    assert students_text(students) == text
