"""``w2s train`` with two processes (gloo, CPU): one that fails, and a resumed run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.hooks.toy import make_config, make_teacher

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
HANGS = 300  # seconds; gloo waits for half an hour


@pytest.fixture
def launch(tmp_path):
    """``launch(name, fail, *options)``: run with two processes; gives status and output."""
    teacher = make_teacher(tmp_path)

    def start(name, fail='', *options, by_epoch=False, ema=False):
        path = tmp_path / f'{name}.py'
        config = make_config(tmp_path / name, teacher, by_epoch=by_epoch)
        config.default_hooks.checkpoint.update(save_best='toy/fit', rule='greater')
        config.custom_imports = dict(imports=['tests.commands.failing_rank'])
        config.custom_hooks = [dict(type='FailHook')]
        if ema:
            config.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
        config.train_dataloader.batch_size = 3
        config.dump(path)
        command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
        command += ['--nproc-per-node=2', '--module', 'w2s_mm', 'train', str(path)]
        done = subprocess.run(
            [*command, '--launcher', 'pytorch', *options],
            cwd=ROOT,
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), 'FAIL': fail},
            capture_output=True,
            text=True,
            timeout=HANGS,
        )
        return done.returncode, done.stdout + done.stderr

    return start


@pytest.mark.parametrize('fail', ['0:preflight:refuse', '1:5:raise', '1:6:kill'])
def test_a_process_that_fails_ends_the_run_with_its_error(launch, fail):
    rank, where, how = fail.split(':')
    status, output = launch('run', fail)
    assert status != 0
    if how != 'kill':
        assert f'process {rank} failed at {where}' in output
    else:
        assert 'SIGKILL' in output or 'Signal 9' in output


def final(work_dir: Path) -> list:
    name = (work_dir / 'last_checkpoint').read_text()
    kept = torch.load(name, weights_only=False)
    story = json.loads((work_dir / 'weak_to_strong.json').read_text())
    clocks = ('train_seconds', 'wall_seconds')
    told = json.loads((work_dir / 'time_to_target.json').read_text())
    history = [{k: v for k, v in e.items() if k not in clocks} for e in told['history']]
    weights = {**kept['state_dict'], **kept.get('ema_state_dict', {})}
    return [weights, story['reference'], story['history'], story['closed_at'], history]


@pytest.mark.parametrize(('by_epoch', 'ema'), [(False, False), (True, False), (False, True)])
def test_killed_and_resumed_it_is_the_uninterrupted_run(launch, tmp_path, by_epoch, ema):
    """With random numbers (dropout, augmentation) and batch statistics of their own."""
    assert launch('whole', by_epoch=by_epoch, ema=ema)[0] == 0
    weights, *whole = final(tmp_path / 'whole')
    for number, fail in enumerate(('1:6:kill', '0:val12:kill', '')):
        options = ['--resume'] * (number > 0)
        status, output = launch('run', fail, *options, by_epoch=by_epoch, ema=ema)
        assert bool(status) == bool(fail), output[-3000:]
    again, *resumed = final(tmp_path / 'run')
    assert resumed == whole
    assert all(torch.equal(again[key], weights[key]) for key in weights)
