import json
import math
import subprocess
import sys

import pytest

from tests.run_files import WEIGHT
from w2s_mm.report import load_run
from w2s_mm.utils.errors import W2SError


@pytest.mark.slow
def test_a_report_needs_neither_torch_nor_mm():
    code = (
        'import sys, w2s_mm.report, w2s_mm.commands.report; '
        'assert not {"torch", "mmengine", "mmdet", "mmcv"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_a_baseline_has_no_teacher(write_run):
    run = load_run(write_run('base', [0.1, 0.3], seed=3, thresholds=(0.2, 0.3)))
    assert (run.seed, run.values, run.thresholds) == (3, [0.1, 0.3], [0.2, 0.3])
    assert run.reference is run.closed_at is run.weights is None
    assert run.name == 'base'


def test_a_distilled_run_has_teacher_gate_and_weights(write_run):
    other = [[0, 1.0], [80, 1.0]]
    path = write_run('ours', [0.1, 0.3], reference=0.25, closed_at=80, weights=[WEIGHT, other])
    run = load_run(path)
    assert (run.reference, run.closed_at) == (0.25, 80)
    assert run.weights == [[(0, 0), (40, 2), (80, 2), (120, 0)], [(0, 1), (80, 1)]]


def test_a_file_of_format_1_has_no_weights(write_run):
    path = write_run('ours', [0.1], reference=0.2, closed_at=40)
    file = path / 'weak_to_strong.json'
    old = json.loads(file.read_text())
    del old['weights'], old['stop']
    file.write_text(json.dumps({**old, 'format': 1, 'hits_in_a_row': 2, 'schedule': {}}))
    run = load_run(path)
    assert (run.reference, run.closed_at, run.weights) == (0.2, 40, None)


def test_gradient_norms_are_read_in_both_formats(write_run):
    entry = {'iter': 1, 'grad_norm_base': 1.0, 'grad_norm_distill': 0.5, 'grad_cosine': 0.3}
    path = write_run('ours', [0.1], gradients=[entry, {**entry, 'iter': 11}])
    assert [each['iter'] for each in load_run(path).gradients] == [1, 11]
    (path / 'gradient_norms.jsonl').unlink()
    old = {'format': 1, 'interval': 10, 'seconds': 1.5, 'history': [entry]}
    (path / 'gradient_norms.json').write_text(json.dumps(old))
    assert load_run(path).gradients == (entry,)


@pytest.mark.parametrize('content', ['', '{"format": 9}\n', '[]\n', '{"format": 2}\n{"it\n'])
def test_broken_gradient_norms_are_named(write_run, content):
    path = write_run('ours', [0.1])
    (path / 'gradient_norms.jsonl').write_text(content)
    with pytest.raises(W2SError, match=r'gradient_norms\.jsonl'):
        load_run(path)


def test_a_run_that_was_not_yet_validated_is_read(write_run):
    run = load_run(write_run('ours', [], finished=False))
    assert run.values == [] and run.time_of(40, 'epoch') == 40


def test_a_validation_without_a_value_is_nan(write_run):
    values = load_run(write_run('base', [None, math.nan, 0.2])).values
    assert math.isnan(values[0]) and math.isnan(values[1]) and values[2] == 0.2


@pytest.mark.parametrize(('iteration', 'seconds'), [(0, 0), (20, 2), (40, 4), (60, 6), (120, 12)])
def test_clocks_are_interpolated(write_run, iteration, seconds):
    assert load_run(write_run('base', [0, 0])).time_of(iteration, 'train_seconds') == seconds


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(W2SError, match='nowhere is not a directory; expected'):
        load_run(tmp_path / 'nowhere')


def test_a_directory_without_a_measurement_says_what_is_there_and_what_to_type(tmp_path):
    (tmp_path / 'epoch_1.pth').touch()
    with pytest.raises(W2SError, match=r'found: epoch_1.pth.*Type: w2s train'):
        load_run(tmp_path)


def test_a_directory_of_runs_is_told_from_a_run(write_run, tmp_path):
    write_run('a', [0.1])
    write_run('b', [0.1])
    with pytest.raises(W2SError, match=r'contains 2 of them \(a, b\)\. Type: .*/\*'):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"format": 1', 'cannot be read as JSON'),
        ('{"format": 2}', 'has format 2; this version reads 1'),
        ('[]', 'has format None'),
        ('{"format": 1}', 'metric is missing'),
    ],
)
def test_a_broken_file_is_refused(tmp_path, content, message):
    (tmp_path / 'time_to_target.json').write_text(content)
    with pytest.raises(W2SError, match=message):
        load_run(tmp_path)
