import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools' / 'first_at.py'


@pytest.fixture
def first_at(tmp_path):
    def run(*args):
        command = [sys.executable, TOOL, *args]
        env = {'PYTHONPATH': str(TOOL.parents[1])}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)

    return run


def test_a_table_for_each_target_and_a_report(first_at, write_run, tmp_path):
    write_run('ours', [0.1, 0.22, 0.31], reference=0.2, thresholds=(0.2, 0.3))
    write_run('base', [0.1, 0.15, 0.22])
    write_run('teacher', [0.1, 0.2])
    done = first_at('ours', '--baseline', 'base', '--report', 'r', '--teacher-run', 'teacher')
    assert done.returncode == 0, done.stderr
    assert 'first@AP50 20' in done.stdout and 'first@AP50 30' in done.stdout
    assert 'Median speedup 1.50x of 1 pair' in done.stdout
    content = json.loads((tmp_path / 'r/report.json').read_text())
    assert content['taus'] == [0.2, 0.3] and content['teacher_training'][0]['iters'] == 80
    names = sorted(path.name for path in (tmp_path / 'r').iterdir())
    assert names == ['curves.png', 'curves_0.3.png', 'report.html', 'report.json', 'report.md']


def test_a_mistake_ends_in_one_line(first_at):
    done = first_at('nowhere')
    assert done.returncode == 1
    assert done.stderr.startswith('error: nowhere is no directory') and done.stderr.count('\n') == 1
