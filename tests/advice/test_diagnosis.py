import json
import math

import pytest

from w2s_mm.advice.band import Band, Candidate
from w2s_mm.advice.diagnosis import Alignment, Diagnosis, as_json, as_text
from w2s_mm.report import Speedup

NEAR, FAR = Alignment(0.6, 0.5, 900, 400), Alignment(0.5, 0.7, 900, 400)


def diagnosis(value=0.35, baseline=FAR, student=NEAR, speedup=None, answers=900, rule='greater'):
    metric = 'coco/bbox_mAP_50' if rule == 'greater' else 'fid'
    band = Band(metric, rule, 0.4 if rule == 'greater' else 50.0)
    return Diagnosis(
        band, Candidate('weak.pth', value, 1.386, answers), baseline, student, 0.3, speedup
    )


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        (0.2, 'Too weak: AP50 20.0 is 50 % below the baseline (40.0); suitable is up to 15 %.'),
        (0.35, 'Suitable: AP50 35.0 is 12.5 % below the baseline (40.0)'),
        (0.4, 'Too strong: AP50 40.0 is as good as the baseline (40.0)'),
        (0.5, 'Too strong: AP50 50.0 is 25 % above the baseline (40.0)'),
    ],
)
def test_the_verdict_is_that_of_the_operating_band(value, words):
    assert as_text(diagnosis(value)).startswith(words)


def test_a_lower_metric():
    assert diagnosis(55.0, rule='less').verdict == 'suitable'
    assert diagnosis(70.0, rule='less').verdict == 'too weak'
    assert '10 % above the baseline' in as_text(diagnosis(55.0, rule='less'))


def test_the_figures_it_rests_on_are_shown():
    rows = [
        ' '.join(line.split()) for line in as_text(diagnosis(speedup=Speedup(2, 2))).splitlines()
    ]
    assert 'mean entropy of its predictions, nats 1.386' in rows
    assert 'CKA(student, teacher) 0.500 0.600' in rows
    assert 'KL(student || teacher), nats 0.700 0.500' in rows
    assert 'speedup of this pair to AP50 30 2.00x' in rows


@pytest.mark.parametrize(
    ('baseline', 'student', 'words'),
    [
        (FAR, NEAR, 'closer to the teacher than the baseline, in features and in predictions'),
        (NEAR, FAR, 'no closer to the teacher than the baseline'),
        (FAR, Alignment(0.6, 0.8, 900, 400), 'in features, not in predictions'),
        (FAR, Alignment(0.4, 0.6, 900, 400), 'in predictions, not in features'),
        (
            Alignment(0.5, None, 0, 400),
            Alignment(0.6, None, 0, 400),
            'in features, not in predictions',
        ),
        (FAR, Alignment(0.6, 0.5, 900, 20), 'CKA of 20 images is noisy'),
        (FAR, Alignment(math.nan, 0.5, 900, 400), 'CKA of 400 images is noisy'),
    ],
)
def test_what_the_alignment_says(baseline, student, words):
    assert words in as_text(diagnosis(baseline=baseline, student=student))


@pytest.mark.parametrize(
    ('value', 'speedup', 'words'),
    [
        (0.2, Speedup(1.5, 1.5), 'this pair was faster nevertheless'),
        (0.5, Speedup(low=1.2), 'this pair was faster nevertheless'),
        (0.35, Speedup(high=0.9), 'this pair was slower nevertheless'),
    ],
)
def test_what_contradicts_the_verdict_is_said(value, speedup, words):
    assert words in as_text(diagnosis(value, speedup=speedup))


@pytest.mark.parametrize('speedup', [None, Speedup(1.5, 1.5), Speedup()])
def test_what_agrees_leaves_no_caution(speedup):
    assert 'Caution' not in as_text(diagnosis(speedup=speedup))


def test_a_teacher_that_is_never_sure_is_said():
    no_answers = Alignment(0.6, None, 0, 400)
    assert 'Lower the score_thr' in as_text(diagnosis(answers=0, student=no_answers))
    assert 'score_thr' not in as_text(diagnosis(answers=0))  # they have no entropy, that is all


def test_json_holds_raw_numbers():
    student = Alignment(math.nan, None, 0, 2)
    content = json.loads(json.dumps(as_json(diagnosis(student=student)), allow_nan=False))
    assert content['verdict'] == 'suitable'
    assert content['teacher']['gap'] == pytest.approx(0.125)
    assert content['student'] == {'cka': None, 'kl': None, 'answers': 0, 'images': 2}
