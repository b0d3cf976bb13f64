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


def test_a_table_a_picture_and_json_for_each_target(first_at, write_run, tmp_path):
    write_run('ours', [0.1, 0.22, 0.31], reference=0.2, thresholds=(0.2, 0.3))
    write_run('base', [0.1, 0.15, 0.22])
    done = first_at('ours', '--baseline', 'base', '--out', 'curves', '--json', 'table.json')
    assert done.returncode == 0, done.stderr
    assert 'first@AP50 20' in done.stdout and 'first@AP50 30' in done.stdout
    assert 'Median speedup 1.50x of 1 pair' in done.stdout
    assert len(json.loads((tmp_path / 'table.json').read_text())['comparisons']) == 2
    assert sorted(p.name for p in tmp_path.glob('curves*')) == ['curves_0.2.png', 'curves_0.3.png']


def test_a_mistake_ends_in_one_line(first_at):
    done = first_at('nowhere')
    assert done.returncode == 1
    assert done.stderr.startswith('error: nowhere is no directory') and done.stderr.count('\n') == 1
