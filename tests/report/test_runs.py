import math
import subprocess
import sys

import pytest

from w2s_mm.report import load_run
from w2s_mm.utils.errors import W2SError


def test_analysis_needs_neither_torch_nor_mm():
    code = (
        'import sys, w2s_mm.report; '
        'assert not {"torch", "mmengine", "mmdet", "mmcv"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_a_baseline_has_no_teacher(write_run):
    run = load_run(write_run('base', [0.1, 0.3], seed=3, thresholds=(0.2, 0.3)))
    assert (run.seed, run.values, run.thresholds) == (3, [0.1, 0.3], [0.2, 0.3])
    assert run.reference is run.closed_at is run.schedule is None
    assert run.name == 'base'


def test_a_distilled_run_knows_teacher_gate_and_schedule(write_run, schedule):
    run = load_run(write_run('ours', [0.1, 0.3], reference=0.25, closed_at=80, schedule=schedule))
    assert (run.reference, run.closed_at) == (0.25, 80)
    assert [run.weight_at(i) for i in (0, 20, 60, 100, 120)] == [0, 1, 2, 1, 0]


@pytest.mark.parametrize(
    ('unit', 'length'), [('iter', 80), ('epoch', 1), ('training', 0.1)], ids=lambda x: str(x)
)
def test_the_schedule_is_read_in_its_own_unit(write_run, schedule, unit, length):
    schedule |= {'unit': unit, 'warmup': length, 'hold': 0, 'decay': length}
    run = load_run(write_run('ours', [0.1, 0.3, 0.4], reference=0.2, schedule=schedule))
    assert run.weight_at(40) == pytest.approx(1)
    assert run.weight_at(80) == pytest.approx(2)


def test_a_schedule_of_another_type_is_left_alone(write_run):
    path = write_run('ours', [0.1], reference=0.2, schedule={'type': 'MySchedule', 'x': 1})
    assert load_run(path).weight_at(10) == 0


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
    with pytest.raises(W2SError, match='nowhere is no directory; expected'):
        load_run(tmp_path / 'nowhere')


def test_a_directory_without_a_measurement_says_what_is_there_and_what_to_type(tmp_path):
    (tmp_path / 'epoch_1.pth').touch()
    with pytest.raises(W2SError, match=r'found: epoch_1.pth.*Type: python tools/train.py'):
        load_run(tmp_path)


def test_a_directory_of_runs_is_told_from_a_run(write_run, tmp_path):
    write_run('a', [0.1])
    write_run('b', [0.1])
    with pytest.raises(W2SError, match=r'holds 2 of them \(a, b\)\. Type: .*/\*'):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"format": 1', 'cannot be read as JSON'),
        ('{"format": 2}', 'has format 2; this version reads 1'),
        ('[]', 'has format None'),
        ('{"format": 1}', "KeyError\\('metric'\\)"),
    ],
)
def test_a_broken_file_is_refused(tmp_path, content, message):
    (tmp_path / 'time_to_target.json').write_text(content)
    with pytest.raises(W2SError, match=message):
        load_run(tmp_path)
