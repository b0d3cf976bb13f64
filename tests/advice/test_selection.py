import json

import pytest

from w2s_mm.advice.band import Band, Baseline, Candidate
from w2s_mm.advice.selection import Selection, as_json, as_text, teacher_snippet

AP50 = 'coco/bbox_mAP_50'


def selection(*values, baseline=0.4, rule='greater', metric=AP50, width=0.15, **found):
    band = Band(metric, rule, baseline, width)
    candidates = [
        Candidate(f'run/iter_{i}.pth', value, **{'answers': 5, **found})
        for i, value in enumerate(values, start=1)
    ]
    return Selection(band, Baseline(baseline), candidates)


def chosen(chosen_from):
    return chosen_from.recommended and chosen_from.recommended.checkpoint


def test_the_nearest_to_the_middle_is_recommended():
    assert chosen(selection(0.2, 0.35, 0.368, 0.395, 0.45)) == 'run/iter_3.pth'


def test_of_the_papers_teachers_of_resnet50_the_faster_one_is_recommended():
    found = selection(69.62, 70.73, baseline=77.11, metric='accuracy/top1')
    assert chosen(found) == 'run/iter_2.pth'


def test_equally_near_the_weaker_is_recommended_and_of_equals_the_first():
    assert chosen(selection(93.5, 91.5, baseline=100.0, metric='top1')) == 'run/iter_2.pth'
    assert chosen(selection(106.5, 108.5, baseline=100.0, rule='less', metric='fid')) == (
        'run/iter_2.pth'
    )
    assert chosen(selection(0.36, 0.36)) == 'run/iter_1.pth'


def test_without_a_figure_a_candidate_is_never_recommended():
    broken = Candidate('broken.pth', problem='cannot be read')
    found = selection(0.36)
    found = Selection(found.band, found.baseline, [broken, *found.candidates])
    assert chosen(found) == 'run/iter_1.pth'
    text = as_text(found)
    assert 'Not evaluated: broken.pth: cannot be read' in text
    row = next(line for line in text.splitlines() if line.strip().startswith('broken.pth '))
    assert row.split() == ['broken.pth', '-', '-', '-', 'not', 'evaluated']


def test_table():
    found = selection(0.3, 0.37, 0.41, entropy=1.2346)
    assert as_text(found).splitlines()[:9] == [
        'Baseline AP50 40.0 (given)',
        'Suitable: up to 15 % below the baseline, AP50 34.0 to 40.0',
        '',
        'checkpoint  AP50  to baseline  entropy      verdict',
        '----------  ----  -----------  -------  -----------',
        'iter_1.pth  30.0      -25.0 %    1.235     too weak',
        'iter_2.pth  37.0       -7.5 %    1.235  recommended',
        'iter_3.pth  41.0       +2.5 %    1.235   too strong',
        '',
    ]
    assert 'Recommended: run/iter_2.pth, 7.5 % below the baseline.' in as_text(found)
    assert 'Caution' not in as_text(found)


def test_table_where_lower_is_better():
    text = as_text(selection(66.0, 64.5, baseline=60.0, rule='less', metric='fid'))
    assert 'Suitable: up to 15 % above the baseline, FID 69.0 to 60.0' in text
    assert '+7.5 %' in text
    assert 'run/iter_2.pth, 7.5 % above the baseline, the nearest to the middle' in text


def test_no_entropy_is_a_dash_and_explains_nothing():
    text = as_text(selection(0.37))
    assert text.splitlines()[5].split() == ['iter_1.pth', '37.0', '-7.5', '%', '-', 'recommended']
    assert 'Entropy' not in text


def test_files_of_one_name_are_told_apart():
    band = Band(AP50, 'greater', 0.4)
    both = [Candidate('a/iter_1.pth', 0.3), Candidate('b/iter_1.pth', 0.37)]
    text = as_text(Selection(band, Baseline(0.4), both))
    assert 'a/iter_1.pth  30.0' in text and 'b/iter_1.pth  37.0' in text


@pytest.mark.parametrize(('value', 'side'), [(0.341, 'too weak'), (0.398, 'too strong')])
def test_a_recommendation_at_the_edge_is_a_caution(value, side):
    text = as_text(selection(value))
    assert f'Caution: this is close to "{side}"' in text
    assert '7.5 % below the baseline would be safer' in text


def test_a_recommendation_that_has_nothing_to_distil_is_a_caution():
    assert 'Lower the score_thr' in as_text(selection(0.37, answers=0))


def test_nothing_in_the_band_with_both_sides():
    found = selection(0.2, 0.3, 0.44, 0.5)
    assert found.recommended is None
    text = as_text(found)
    assert 'No checkpoint is in the band.' in text
    assert 'Too weak, and nearest: run/iter_2.pth, 25 % below the baseline.' in text
    assert 'Too strong, and nearest: run/iter_3.pth, 10 % above the baseline.' in text
    assert 'save checkpoints more often' in text and 'choose between them' in text


def test_nothing_in_the_band_and_all_too_weak():
    text = as_text(selection(0.2, 0.3))
    assert 'Too strong' not in text
    assert 'train the teacher longer, or use a stronger one' in text
    assert '--band' not in text


def test_just_beyond_the_band_says_how_to_admit_it():
    found = selection(0.3385)
    assert 'It is 0.4 percentage points outside the band' in as_text(found)
    assert '--band 0.16 includes it' in as_text(found)
    assert chosen(selection(0.3385, width=0.16)) == 'run/iter_1.pth'


def test_nothing_in_the_band_and_all_too_strong():
    text = as_text(selection(0.4, 0.5))
    assert 'Too strong, and nearest: run/iter_1.pth, as good as the baseline.' in text
    assert 'use an earlier checkpoint' in text and 'a weaker model' in text
    text = as_text(selection(50.0, baseline=60.0, rule='less', metric='fid'))
    assert 'run/iter_1.pth, 16.7 % below the baseline.' in text


def test_json_holds_raw_numbers():
    found = selection(0.3, 0.37, entropy=1.5)
    told = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert told['recommended'] == 'run/iter_2.pth'
    assert told['band'] == {'width': 0.15, 'weakest': pytest.approx(0.34), 'below': 0.4}
    assert told['baseline'] == {'value': 0.4, 'source': 'given'}
    first = told['candidates'][0]
    assert first['gap'] == pytest.approx(0.25)
    assert (first['verdict'], first['entropy'], first['answers']) == ('too weak', 1.5, 5)
    broken = Selection(found.band, found.baseline, [Candidate('x.pth', problem='cannot be read')])
    assert as_json(broken)['candidates'][0]['gap'] is None
    assert as_json(broken)['recommended'] is None


def test_snippet_is_python_to_paste():
    text = teacher_snippet(selection(0.37), {'config': 'weak.py', 'weights_only': False})
    assert text.startswith('# AP50 37.0, 7.5 % below the baseline of 40.0')
    assert eval(f'dict({text})') == {
        'teacher': {'config': 'weak.py', 'weights_only': False, 'checkpoint': 'run/iter_1.pth'}
    }


def test_notes_on_the_baseline_are_shown():
    found = Selection(Band(AP50, 'greater', 0.4), Baseline(0.4, notes=('Not finished.',)), [])
    assert 'Note: Not finished.' in as_text(found) and 'Not finished.' in as_json(found)['notes']
