"""The report from made-up curves."""

import json
import math
import re
from html.parser import HTMLParser

import pytest

from tests.run_files import WEIGHT
from w2s_mm.report import as_json, gather, read_archive, save_study, target, update_page
from w2s_mm.report.page import build_page
from w2s_mm.report.render import as_html, as_markdown
from w2s_mm.utils.errors import W2SError

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.24]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]
NEVER = [0.05] * 6


@pytest.fixture
def pairs(write_run):
    """``pairs(ours, base, ...)``: a study of pairs, one a curve of ours."""

    def study(ours, base, **told):
        told = {'reference': 0.25, 'closed_at': 160, 'weights': [WEIGHT], 'record': {}, **told}
        kept = {key: told[key] for key in ('record', 'metric', 'rule', 'thresholds') if key in told}
        dirs = [write_run(f'ours/seed{s}', c, seed=s, **told) for s, c in enumerate(ours)]
        bases = [write_run(f'base/seed{s}', c, seed=s, **kept) for s, c in enumerate(base)]
        return gather(dirs, bases)

    return study


def in_markdown(study):
    return as_markdown(build_page(study))


def in_html(study):
    return as_html(build_page(study), study)


def test_the_headline_is_that_of_the_mean_curve_with_median_and_interval(pairs):
    markdown = in_markdown(pairs([EARLY, EARLY], [RISING, EARLY]))
    assert (
        'AP50 20 is reached 1.50x as fast with the teacher: 80 iterations instead of 120 (mean of '
        '2 pairs; faster: 1 of 2, p = 1; median of the pairs 1.50x, 95% interval 0.02x to 115.61x).'
    ) in markdown


def test_one_pair_is_labelled_as_one(pairs):
    markdown = in_markdown(pairs([EARLY], [RISING]))
    assert (
        '2.00x as fast with the teacher: 80 iterations instead of 160. This is one pair of runs'
        in markdown
    )
    assert 'mean curve |' not in markdown


def test_a_run_that_never_arrives_stays_in_the_median(pairs):
    markdown = in_markdown(pairs([EARLY, EARLY, EARLY], [RISING, NEVER, NEVER]))
    assert '| 1 | > 240 / 80 | > 3.00x | > 240 / 80 | > 3.00x |' in markdown
    assert 'faster: 3 of 3, p = 0.25; median of the pairs >= 3.00x)' in markdown


def test_sustained_crossings_have_a_column_of_their_own(pairs):
    markdown = in_markdown(pairs([[0.1, 0.22, 0.1, 0.31, 0.3, 0.3]], [RISING]))
    assert (
        '| 0 | 160 / 80 | 2.00x | 160 / 160 | 1.00x | 24.0 / 30.0 | 25.0 / 31.0 | 160 |' in markdown
    )


def test_three_clocks(pairs):
    markdown = in_markdown(pairs([EARLY], [RISING]))
    assert '| ours | iterations | 160 | 80 | 2.00x | 2.00x | - |' in markdown
    assert '| ours | seconds of training | 16.0 | 8.0 | 2.00x | 2.00x | - |' in markdown
    assert '| ours | seconds, everything included | 30.0 | 20.0 | 1.50x | 1.50x | - |' in markdown


def test_the_clocks_are_those_of_the_headlines_crossing(write_run):
    ours = write_run('ours', [0.1, 0.22, 0.1, 0.31, 0.3, 0.3], reference=0.25)
    markdown = in_markdown(gather([ours], [write_run('base', RISING)], sustained=True))
    assert 'Time to AP50 20, 2 in a row, on three clocks' in markdown
    assert '| ours | iterations | 160 | 160 | 1.00x | 1.00x | - |' in markdown
    assert '| ours | seconds of training | 16.0 | 16.0 | 1.00x | 1.00x | - |' in markdown


def test_the_speedup_of_a_clock_is_the_ratio_of_the_two_times_beside_it(pairs):
    markdown = in_markdown(pairs([EARLY, RISING, EARLY], [RISING, RISING, EARLY]))
    rows = [
        line.strip('| ').split(' | ') for line in markdown.splitlines() if line.startswith('| ours')
    ]
    seconds = next(row for row in rows if row[1] == 'seconds of training')
    assert seconds[4] == f'{float(seconds[2].strip("> ")) / float(seconds[3]):.2f}x'


def test_every_level_has_a_row(pairs):
    markdown = in_markdown(pairs([EARLY], [RISING]))
    assert '| the target | 20.0 | 160 | 80 | 2.00x | 2.00x | 1 of 1 | - | 2.00x | - |' in markdown
    assert "| the teacher's level | 25.0 | 200 | 120 | 1.67x |" in markdown
    assert "| 95 % of the baseline's final metric | 22.8 | 200 | 120 | 1.67x |" in markdown
    assert "| the baseline's final metric | 24.0 | 200 | 120 | 1.67x |" in markdown


def test_the_teachers_training_is_paid_back(write_run):
    teacher = write_run('weak', [0.1, 0.2, 0.3])  # 12 seconds of training
    told = {'teacher': {'checkpoint': str(teacher / 'last.pth'), 'fingerprint': 'f'}}
    ours = write_run('ours', EARLY, reference=0.25, record=told)
    study = gather([ours], [write_run('base', RISING, record={})])  # 8 seconds are saved
    assert study.students_to_break_even(study.variants[0], target(0.2)) == 12 / 8
    assert 'after 2 students' in in_markdown(study)


def test_a_teacher_is_paid_by_the_variant_that_had_it(write_run):
    def taught(name, *teachers):
        return [
            write_run(
                f'{name}_seed{seed}',
                EARLY,
                seed=seed,
                reference=0.25,
                record={'teacher': {'checkpoint': str(teacher / 'last.pth'), 'fingerprint': 'f'}},
            )
            for seed, teacher in enumerate(teachers)
        ]

    short, long = write_run('short', [0.1]), write_run('long', [0.1, 0.2, 0.3])
    runs = [*taught('one', short, short), *taught('both', short, long)]
    bases = [write_run(f'base_seed{s}', RISING, seed=s, record={}) for s in (0, 1)]
    study = gather(runs, bases)
    one, both = study.variants
    assert study.students_to_break_even(one, target(0.2)) == 4 / 8
    assert study.students_to_break_even(both, target(0.2)) == (4 + 12) / 2 / 8


def test_no_time_saved_never_pays_back(write_run):
    teacher = write_run('weak', [0.1, 0.2, 0.3])
    told = {'teacher': {'checkpoint': str(teacher / 'last.pth'), 'fingerprint': 'f'}}
    ours = write_run('ours', RISING, reference=0.25, record=told)
    study = gather([ours], [write_run('base', EARLY, record={})])
    assert study.students_to_break_even(study.variants[0], target(0.2)) == math.inf


def test_every_difference_of_the_configs_is_listed(pairs, write_run):
    base = {'model': {'type': 'RetinaNet'}, 'optim_wrapper': {'optimizer': {'lr': 0.1}}}
    ours = {
        'model': {'type': 'W2SRetinaNet', 'teacher': {'config': 'weak.py'}},
        'optim_wrapper': {'optimizer': {'lr': 0.2}},
    }
    study = gather(
        [write_run('ours', EARLY, reference=0.25, record={'settings': ours})],
        [write_run('base', RISING, record={'settings': base})],
    )
    markdown = in_markdown(study)
    assert '| model.teacher | - | {"config": "weak.py"} |' in markdown
    assert '| model.type | RetinaNet | W2SRetinaNet |' in markdown
    assert '| optim_wrapper.optimizer.lr | 0.1 | 0.2 |' in markdown
    assert 'not only in the distillation but also in optim_wrapper.optimizer.lr.' in markdown
    assert [each['setting'] for each in as_json(study)['differences']] == [
        'model.teacher',
        'model.type',
        'optim_wrapper.optimizer.lr',
    ]


def test_configs_that_are_not_recorded_are_named(pairs):
    assert 'Note: not compared for seed0: run.json has no resolved config' in in_markdown(
        pairs([EARLY], [RISING])
    )


def test_what_was_compared_is_told(pairs):
    markdown = in_markdown(pairs([EARLY], [RISING]))
    assert 'Checked by fingerprints' in markdown
    assert '| ours | 0 | configs/digits/retinanet_student.py | 1234 | 25.0 | 800 |' in markdown
    assert '| commit | abc |' in markdown and '| cores | 2 |' in markdown
    assert '| cuda |' not in markdown
    assert 'Not known: the run that wrote its checkpoint is not available.' in markdown


def test_claims_are_kept_apart(write_run):
    started = {'initial_weights': 'bbbb', 'start': {'how': 'inherit'}}
    ours = [
        write_run('start', EARLY, record=started),
        write_run('both', EARLY, reference=0.25, record=started),
    ]
    markdown = in_markdown(gather(ours, [write_run('base', RISING, record={})]))
    for label in ('start (start)', 'both (both)', 'base (baseline)'):
        assert markdown.count(f'| {label} |') == 2  # in the summary, and in what was compared
    assert 'The weights of start, both are left out of this check' in markdown


def test_a_lower_metric(pairs):
    fid = {'metric': 'fid', 'rule': 'less', 'thresholds': (60,), 'reference': 65}
    markdown = in_markdown(pairs([[90, 58, 50]], [[95, 80, 59]], **fid))
    assert 'FID 60 is reached 1.50x as fast' in markdown
    assert 'the metric is at most tau' in markdown
    assert '| 59.0 / 50.0 | 59.0 / 50.0 |' in markdown


def test_several_variants_stand_in_one_table_and_one_figure(write_run):
    dirs = [write_run(f'{n}/seed0', c) for n, c in (('fast', EARLY), ('never', NEVER))]
    markdown = in_markdown(gather(dirs, [write_run('base/seed0', RISING)]))
    assert '| base | 160 |' in markdown and '| fast | 80 | 2.00x |' in markdown
    assert '| never | > 240 | < 0.67x |' in markdown
    assert markdown.count('![') == 2
    assert ('Speedup to AP50 20 over base (one pair): fast 2.00x, never < 0.67x.') in markdown


def test_gradient_norms_have_a_figure(pairs):
    entry = {'iter': 1, 'grad_norm_base': 1.0, 'grad_norm_distill': 0.5, 'grad_cosine': 0.3}
    study = pairs([EARLY], [RISING], gradients=[entry])
    assert '(gradients_ours_seed0.png)' in in_markdown(study)
    assert in_html(study).count('<figure>') == 3


def test_runs_without_a_baseline_are_reported(write_run):
    markdown = in_markdown(gather([write_run('ours', RISING)]))
    assert markdown.startswith('# AP50 20 reached after 160 iterations')
    assert 'fingerprints' not in markdown


def test_the_page_needs_nothing_beside_it(pairs):
    html = in_html(pairs([EARLY, EARLY], [RISING, NEVER]))
    assert not re.findall(r'(?:src|srcset|href)="(?!data:)', html)
    assert '<script' not in html and '@import' not in html
    assert 'name="viewport"' in html


def test_the_page_is_well_formed(pairs):
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
    parser.feed(in_html(pairs([EARLY], [RISING])))
    assert parser.open == []


def test_names_are_escaped(write_run):
    html = in_html(gather([write_run('a<b>', RISING)]))
    assert 'a<b>' not in html and 'a&lt;b&gt;' in html


def test_runs_without_a_weight_curve_have_one_note(pairs, write_run):
    markdown = in_markdown(pairs([EARLY, EARLY], [RISING, RISING]))
    assert 'Lower panel: the distillation weight' in markdown and 'format 1' not in markdown
    paths = [write_run(f'old/seed{s}', EARLY, seed=s, reference=0.25) for s in (0, 1)]
    for path in paths:
        file = path / 'weak_to_strong.json'
        old = json.loads(file.read_text())
        del old['weights']
        file.write_text(json.dumps({**old, 'format': 1}))
    page = in_markdown(gather(paths))
    assert 'Lower panel' not in page
    assert page.count('The files of seed0, seed1 have format 1') == 1


def test_json_holds_raw_numbers_and_no_infinity(write_run):
    ours = [write_run(f'ours{s}', EARLY, seed=s, reference=0.25, closed_at=160) for s in (0, 1)]
    base = [write_run(f'base{s}', c, seed=s) for s, c in enumerate([RISING, NEVER])]
    content = json.loads(json.dumps(as_json(gather(ours, base)), allow_nan=False))
    (variant,) = content['variants']
    assert (variant['name'], content['baseline']) == ('ours', 'base')
    clocks = ('iter', 'train_seconds', 'wall_seconds')
    compared = [
        (c['level'], c['number'], c['clock'], c['hits_in_a_row']) for c in variant['comparisons']
    ]
    assert compared == [
        *(('target', 0.2, clock, k) for clock in clocks for k in (1, 2)),
        *(('teacher', 1.0, clock, k) for clock in clocks for k in (1, 2)),
        *(('final', part, clock, 1) for part in (0.95, 1.0) for clock in clocks),
    ]
    written = variant['comparisons'][0]
    exact, bound = written['pairs']
    assert exact['speedup'] == {'value': 2, 'at_least': None, 'at_most': None}
    assert bound['speedup'] == {'value': None, 'at_least': 3, 'at_most': None}
    assert bound['baseline']['first_at'] is None
    assert bound['baseline']['not_reached_up_to'] == 240
    assert (exact['ours']['final'], exact['ours']['best']) == (0.3, 0.31)
    assert written['median_speedup'] == {'value': None, 'at_least': 2.5, 'at_most': None}
    assert written['geometric_mean'] is None
    assert written['sign_test'] == {'faster': 2, 'slower': 0, 'neither': 0, 'p': 0.5}
    assert written['final_difference']['mean'] == pytest.approx(0.155)
    assert written['mean_curve']['baseline']['not_reached_up_to'] == 240
    assert content['runs'][2]['gate_closed_at'] == 160
    assert (content['sustained'], content['confidence']) == (False, 0.95)


def test_json_of_a_run_that_broke_down_is_valid(write_run):
    content = as_json(gather([write_run('run', [0.1, math.nan])]))
    assert json.dumps(content, allow_nan=False)
    ours = content['variants'][0]['comparisons'][0]['pairs'][0]['ours']
    assert (ours['final'], ours['best']) == (None, 0.1)


# ----------------------------------------------------------------------- a report inside a page


@pytest.fixture
def archive(write_run, tmp_path):
    base = [write_run(f'base/seed{s}', RISING, seed=s) for s in (0, 1)]
    for group, name in (('main', 'ours'), ('other', 'second')):
        ours = [write_run(f'{name}/seed{s}', EARLY, seed=s, reference=0.25) for s in (0, 1)]
        save_study(tmp_path / 's.json.gz', gather(ours, base), group)
    return read_archive(tmp_path / 's.json.gz')


def test_reports_are_written_into_their_places_of_a_page(archive, tmp_path):
    page = tmp_path / 'docs' / 'study.md'
    page.parent.mkdir()
    place = '<!-- w2s report: {} -->\nold\n<!-- end of w2s report -->'
    page.write_text(
        f'# Title\n\n{place.format("main")}\n\nbetween\n\n{place.format("other")}\n\nend\n'
    )
    update_page(page, archive)
    text = page.read_text()
    assert text.startswith('# Title\n') and text.endswith('\nend\n')
    assert '\nbetween\n' in text and '\nold\n' not in text
    assert text.count('\n## AP50 20 reached 2.00x as fast') == 2
    assert text.count('\n### Runs\n') == 2
    assert text.count('\n### How to read this\n') == 1
    pictures = sorted(path.name for path in page.parent.glob('*.png'))
    assert pictures == [
        f'study_{name}.png' for name in ('curves', 'other_curves', 'other_speedups', 'speedups')
    ]
    assert all(f']({name})' in text for name in pictures)
    update_page(page, archive)
    assert page.read_text() == text


def test_a_page_without_a_place_is_refused(archive, tmp_path):
    (tmp_path / 'page.md').write_text('# Title\n')
    with pytest.raises(W2SError, match=r'no place for a report.*<!-- w2s report: main -->'):
        update_page(tmp_path / 'page.md', archive)
