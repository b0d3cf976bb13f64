"""A short version of benchmarks/kill_runs.py; docs/kill_tests.md has the figures of all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_equals_the_uninterrupted_run():
    command = [sys.executable, 'benchmarks/kill_runs.py', '--tasks', 'classifier', '--cases', '1']
    done = subprocess.run(
        [*command, '--random', '1', '--points', 'gate closes', 'checkpoint cut short'],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert 'kills, equal' in done.stdout
