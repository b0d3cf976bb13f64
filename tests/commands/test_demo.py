"""The demo: teacher, then the comparison; the whole of it runs in the slow tier."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from w2s_mm.commands import demo as command
from w2s_mm.commands.launch import options_of
from w2s_mm.utils.errors import W2SError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def steps(monkeypatch):
    """What the demo does, without doing it."""
    done = []

    def run_all(plan):
        (run,) = plan
        done.append((run.name, run.config, run.seed, run.options))
        run.run_dir.mkdir(parents=True)
        (run.run_dir / 'weak.pth').touch()
        (run.run_dir / 'last_checkpoint').write_text('weak.pth\n')

    monkeypatch.setattr(command, 'write_digit_scenes', lambda root: done.append(root))
    monkeypatch.setattr(command, 'run_all', run_all)
    monkeypatch.setattr(command, 'compare_configs', lambda *a, **k: done.append((a, k)))
    return done


def test_the_teacher_is_trained_first_and_used_in_the_comparison(steps, tmp_path):
    command.demo(['--seed', '4', '--work-dir', str(tmp_path)])
    digits = 'w2s_mm::digits/retinanet_'
    teacher = str(tmp_path / 'retinanet_teacher' / 'weak.pth')
    assert steps == [
        'data/digit_scenes',
        ('retinanet_teacher', f'{digits}teacher.py', 0, options_of(command.SHORT)),
        (
            ([f'{digits}student.py'], f'{digits}baseline.py', [4], tmp_path),
            {'options': {**command.SHORT, 'model.teacher.checkpoint': teacher}},
        ),
    ]


def test_without_operators_for_the_gpu_it_trains_on_the_cpu(steps, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
    monkeypatch.setattr(command, 'operators_lack_gpu', lambda: 'operators for the CPU')
    command.demo(['--work-dir', str(tmp_path)])
    assert os.environ['CUDA_VISIBLE_DEVICES'] == '' and len(steps) == 3
    assert 'operators for the CPU: the demo trains on the CPU.' in capsys.readouterr().out


def test_other_digit_scenes_are_an_error(steps, monkeypatch):
    def refuse(root):
        raise FileExistsError('other scenes lie there')

    monkeypatch.setattr(command, 'write_digit_scenes', refuse)
    with pytest.raises(W2SError, match='other scenes lie there'):
        command.demo([])


@pytest.mark.slow
def test_the_whole_demo_ends_with_a_table_and_a_report(tmp_path):
    done = subprocess.run(
        [sys.executable, 'tools/demo.py', '--work-dir', str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    assert 'AP50 30' in done.stdout
    assert (tmp_path / 'report.html').stat().st_size > 10_000
