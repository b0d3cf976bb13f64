"""Two processes against one on the same global batch, with gloo on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.hooks.toy import make_teacher

ROOT = Path(__file__).parents[2]


def launch(folder: Path, processes: int, worker: str = 'ddp_worker') -> None:
    command = [
        sys.executable,
        '-m',
        'torch.distributed.run',
        '--standalone',
        f'--nproc-per-node={processes}',
        '--module',
        f'tests.hooks.{worker}',
        str(folder),
        str(processes),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.slow
def test_two_processes_train_like_one_on_the_same_global_batch(tmp_path):
    make_teacher(tmp_path, norm=False)
    launch(tmp_path, 1)
    launch(tmp_path, 2)
    one, two = (torch.load(tmp_path / f'weights{n}.pth', weights_only=True) for n in (1, 2))
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-4, atol=1e-6)
    alone, together = (
        json.loads((tmp_path / f'run{n}' / 'weak_to_strong.json').read_text()) for n in (1, 2)
    )
    assert together['reference'] == pytest.approx(alone['reference'], rel=1e-6)
    assert [e['streak'] for e in together['history']] == [e['streak'] for e in alone['history']]
    assert together['closed_at'] == alone['closed_at']
    both = [json.loads((tmp_path / f'run{n}/time_to_target.json').read_text()) for n in (1, 2)]
    values = [[point['value'] for point in told['history']] for told in both]
    assert values[1] == pytest.approx(values[0], rel=1e-4)
    reached = [[t['first'] and t['first']['iter'] for t in told['targets']] for told in both]
    assert reached[1] == reached[0]
    # The adapters too, whose gradients DistributedDataParallel does not average.
    one, two = (
        torch.load(tmp_path / f'run{n}' / 'epoch_2.pth', weights_only=False)['weak_to_strong']
        for n in (1, 2)
    )
    assert one['adapters'].keys() == {'1.project.weight', '1.project.bias', '1.calls'}
    for key, value in one['adapters'].items():
        torch.testing.assert_close(two['adapters'][key], value, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_start_is_the_same_in_both_processes(tmp_path):
    make_teacher(tmp_path)
    launch(tmp_path, 2, 'start_worker')
    one, two = (torch.load(tmp_path / f'start{rank}.pth', weights_only=True) for rank in (0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    log = next((tmp_path / 'run').rglob('*.log')).read_text()
    assert 'Start (grow, keep 0.9): 9 of 9 tensors' in log
