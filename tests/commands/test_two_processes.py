"""``w2s train`` with two processes (gloo, CPU): one that fails, and a resumed run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
import torch

from tests.hooks.toy import make_config, make_teacher
from w2s_mm.commands.train import train

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
HANGS = 300  # seconds; gloo waits for half an hour


@pytest.fixture
def write(tmp_path):
    """``write(name, by_epoch, ema)``: arguments of a run of the toy, with random numbers."""
    teacher = make_teacher(tmp_path)

    def config(name, by_epoch=False, ema=False):
        path = tmp_path / f'{name}.py'
        made = make_config(tmp_path / name, teacher, by_epoch=by_epoch)
        made.default_hooks.checkpoint.update(save_best='toy/fit', rule='greater')
        made.custom_imports = dict(imports=['tests.commands.failing_rank'])
        made.custom_hooks = [dict(type='FailHook')]
        if ema:
            made.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
        made.train_dataloader.batch_size = 3
        made.dump(path)
        return [str(path), '--launcher', 'pytorch']

    return config


def torchrun(argv: list[str], fail: str) -> tuple[int, str]:
    """Run with two processes; gives status and output."""
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    done = subprocess.run(
        [*command, '--nproc-per-node=2', '--module', 'w2s_mm', 'train', *argv],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), 'FAIL': fail},
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    return done.returncode, done.stdout + done.stderr


def forked(argv: list[str], fail: str, log: Path) -> bool:
    """The same by forks, which take no time to import; gives whether both succeeded."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    ranks = [_fork(argv, fail, log, rank, port) for rank in (0, 1)]
    succeeded = []
    while ranks:
        for process in list(ranks):
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                ranks.remove(process)
                succeeded.append(status == 0)
                for other in ranks if status else ():
                    os.kill(other, signal.SIGKILL)  # as torchrun does
        time.sleep(0.02)
    return all(succeeded)


def _fork(argv: list[str], fail: str, log: Path, rank: int, port: int) -> int:
    process = os.fork()
    if process:
        return process
    try:
        with log.open('ab') as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        group = {'RANK': rank, 'LOCAL_RANK': rank, 'WORLD_SIZE': 2, 'MASTER_PORT': port}
        os.environ.update({name: str(value) for name, value in group.items()})
        os.environ.update(MASTER_ADDR='127.0.0.1', FAIL=fail)
        torch.set_num_threads(1)
        train(argv)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


@pytest.mark.parametrize('fail', ['0:preflight:refuse', '1:5:raise', '1:6:kill'])
def test_a_process_that_fails_ends_the_run_with_its_error(write, fail):
    rank, where, how = fail.split(':')
    status, output = torchrun(write('run'), fail)
    assert status != 0
    if how == 'kill':
        assert 'SIGKILL' in output or 'Signal 9' in output
    else:
        assert f'process {rank} failed at {where}' in output


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
def test_killed_and_resumed_it_is_the_uninterrupted_run(write, tmp_path, by_epoch, ema):
    """With dropout, augmentation and batch statistics that differ between the processes."""
    log = tmp_path / 'log'
    assert forked(write('whole', by_epoch, ema), '', log), log.read_text()[-3000:]
    weights, *whole = final(tmp_path / 'whole')
    for number, fail in enumerate(('1:6:kill', '0:val12:kill', '')):
        argv = [*write('run', by_epoch, ema), *['--resume'] * (number > 0)]
        assert forked(argv, fail, log) != bool(fail), log.read_text()[-3000:]
    again, *resumed = final(tmp_path / 'run')
    assert resumed == whole
    assert all(torch.equal(again[key], weights[key]) for key in weights)
