"""The report from made-up curves."""

import re
from html.parser import HTMLParser

import pytest

from w2s_mm.report import gather, write_report

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.24]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]
NEVER = [0.05] * 6


@pytest.fixture
def report(write_run, schedule, tmp_path):
    """``report(curves, ...)``: text of report.md and report.html of pairs, one a curve of ours."""

    def write(ours, base, **told):
        told = {'reference': 0.25, 'closed_at': 160, 'schedule': schedule, 'record': {}, **told}
        kept = {key: told[key] for key in ('record', 'metric', 'rule', 'thresholds') if key in told}
        dirs = [write_run(f'ours/seed{s}', c, seed=s, **told) for s, c in enumerate(ours)]
        bases = [write_run(f'base/seed{s}', c, seed=s, **kept) for s, c in enumerate(base)]
        path = write_report(gather(dirs, bases), tmp_path / 'report')
        return path.with_suffix('.md').read_text(), path.read_text()

    return write


def test_the_headline_is_that_of_the_mean_curve_with_median_and_interval(report):
    markdown, _ = report([EARLY, EARLY], [RISING, EARLY])
    assert (
        'AP50 20 is reached 1.50x as fast with the teacher: 80 iterations instead of 120 (mean of '
        '2 pairs). The median of the paired ratios is 1.50x, 95% interval 1.00x to 2.00x; 2 pairs '
        'say little about luck.'
    ) in markdown


def test_one_pair_is_labelled_as_one(report):
    markdown, _ = report([EARLY], [RISING])
    assert (
        '2.00x as fast with the teacher: 80 iterations instead of 160. One pair of runs' in markdown
    )
    assert 'mean curve |' not in markdown


def test_a_run_that_never_arrives_stays_in_the_median(report):
    markdown, _ = report([EARLY, EARLY, EARLY], [RISING, NEVER, NEVER])
    assert '| 1 | > 240 / 80 | > 3.00x | > 240 / 80 | > 3.00x |' in markdown
    assert 'The median of the paired ratios is >= 3.00x, 95% interval 2.00x to unknown' in markdown


def test_sustained_crossings_have_a_column_of_their_own(report):
    markdown, _ = report([[0.1, 0.22, 0.1, 0.31, 0.3, 0.3]], [RISING])
    assert (
        '| 0 | 160 / 80 | 2.00x | 160 / 160 | 1.00x | 24.0 / 30.0 | 25.0 / 31.0 | 160 |' in markdown
    )


def test_three_clocks(report):
    markdown, _ = report([EARLY], [RISING])
    assert '| ours | iterations | 160 | 80 | 2.00x | - |' in markdown
    assert '| ours | seconds of training | 16.0 | 8.0 | 2.00x | - |' in markdown
    assert '| ours | seconds, everything included | 30.0 | 20.0 | 1.50x | - |' in markdown


def test_what_was_compared_is_told(report):
    markdown, _ = report([EARLY], [RISING])
    assert 'Checked by fingerprints' in markdown
    assert '| ours | 0 | configs/digits/retinanet_student.py | 1234 | 25.0 | 800 |' in markdown
    assert '| commit | abc |' in markdown and '| cores | 2 |' in markdown
    assert '| cuda |' not in markdown
    assert 'Not known: the run that wrote its checkpoint is not at hand.' in markdown


def test_a_lower_metric(report):
    fid = {'metric': 'fid', 'rule': 'less', 'thresholds': (60,), 'reference': 65}
    markdown, _ = report([[90, 58, 50]], [[95, 80, 59]], **fid)
    assert 'FID 60 is reached 1.50x as fast' in markdown
    assert 'the metric is at most tau' in markdown
    assert '| 59.0 / 50.0 | 59.0 / 50.0 |' in markdown


def test_several_variants_stand_in_one_table_and_one_figure(write_run, tmp_path):
    dirs = [write_run(f'{n}/seed0', c) for n, c in (('fast', EARLY), ('never', NEVER))]
    path = write_report(gather(dirs, [write_run('base/seed0', RISING)]), tmp_path / 'report')
    markdown = path.with_suffix('.md').read_text()
    assert '| base | 160 |' in markdown and '| fast | 80 | 2.00x |' in markdown
    assert '| never | > 240 | < 0.67x |' in markdown
    assert markdown.count('![') == 1
    assert (
        'How much sooner AP50 20 is reached than by base (one pair): fast 2.00x, never < 0.67x.'
    ) in markdown


def test_gradient_norms_have_a_figure(report):
    entry = {'iter': 1, 'grad_norm_base': 1.0, 'grad_norm_distill': 0.5, 'grad_cosine': 0.3}
    markdown, html = report([EARLY], [RISING], gradients=[entry])
    assert '(gradients_ours_seed0.png)' in markdown and html.count('<figure>') == 2


def test_runs_without_a_baseline_are_reported(write_run, tmp_path):
    path = write_report(gather([write_run('ours', RISING)]), tmp_path / 'report')
    markdown = path.with_suffix('.md').read_text()
    assert markdown.startswith('# AP50 20 reached after 160 iterations')
    assert 'fingerprints' not in markdown


def test_the_page_needs_nothing_beside_it(report):
    _, html = report([EARLY, EARLY], [RISING, NEVER])
    assert not re.findall(r'(?:src|srcset|href)="(?!data:)', html)
    assert '<script' not in html and '@import' not in html
    assert 'name="viewport"' in html


def test_the_page_is_well_formed(report):
    class Balanced(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag not in ('meta', 'img', 'source'):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balanced()
    parser.feed(report([EARLY], [RISING])[1])
    assert parser.open == []


def test_names_are_escaped(write_run, tmp_path):
    path = write_report(gather([write_run('a<b>', RISING)]), tmp_path / 'report')
    assert 'a<b>' not in path.read_text() and 'a&lt;b&gt;' in path.read_text()
