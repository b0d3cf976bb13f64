"""The commands as a user types them."""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / 'tools').glob('*.sh'))
COMMANDS = sorted(path for path in (ROOT / 'tools').glob('*.py') if path.stem != 'bootstrap')


def call(*command: str) -> subprocess.CompletedProcess[str]:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        'OMP_NUM_THREADS': '1',
        'PYTHON': sys.executable,
        'PORT': str(port),
    }
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800
    )


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.name)
def test_script_without_arguments_says_how_it_is_used(script):
    done = call(str(script))
    assert done.returncode == 2
    assert script.name in done.stderr


@pytest.mark.parametrize('command', COMMANDS, ids=lambda path: path.name)
def test_script_is_a_door_to_its_command(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [str(command), '--help'])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(command), run_name='__main__')
    assert stopped.value.code == 0
    assert 'usage: w2s ' in capsys.readouterr().out


@pytest.mark.slow
def test_error_for_the_user_has_no_traceback(tmp_path):
    done = call(
        sys.executable,
        'tools/train.py',
        'configs/retinanet_r34_to_r50.py',
        '--work-dir',
        str(tmp_path / 'run'),
        '--cfg-options',
        f'train_dataloader.dataset.data_root={tmp_path}',
    )
    assert done.returncode == 2
    assert 'Traceback' not in done.stderr
    assert 'coco' in done.stderr
    assert not (tmp_path / 'run').exists()


@pytest.mark.slow
def test_two_processes_train_and_test_a_detector(tmp_path):
    scenes = tmp_path / 'scenes'
    made = call(
        sys.executable,
        'tools/make_digit_scenes.py',
        *('--root', str(scenes), '--num-train', '8', '--num-val', '4', '--size', '64'),
    )
    assert made.returncode == 0, made.stderr
    options = [
        '--cfg-options',
        'train_dataloader.batch_size=2',
        'auto_scale_lr.base_batch_size=4',
        f'train_dataloader.dataset.data_root={scenes}/',
        f'val_dataloader.dataset.data_root={scenes}/',
        f'val_evaluator.ann_file={scenes}/annotations/val.json',
        f'test_dataloader.dataset.data_root={scenes}/',
        f'test_evaluator.ann_file={scenes}/annotations/val.json',
    ]
    work_dir = tmp_path / 'run'
    trained = call(
        *('tools/dist_train.sh', 'configs/digits/retinanet_baseline.py', '2', '--work-dir'),
        *(str(work_dir), '--seed', '0', *options),
        *('train_cfg.max_iters=2', 'train_cfg.val_interval=2'),
        'default_hooks.checkpoint.interval=2',
    )
    assert trained.returncode == 0, trained.stderr[-3000:]
    told = json.loads((work_dir / 'time_to_target.json').read_text())
    assert told['finished']
    assert told['history'][0]['epoch'] == pytest.approx(1.0)  # 2 iterations x 2 x 2 of 8 images
    tested = call(
        *('tools/dist_test.sh', 'configs/digits/retinanet_baseline.py'),
        *(str(work_dir / 'iter_2.pth'), '2', '--work-dir', str(work_dir), *options),
    )
    assert tested.returncode == 0, tested.stderr[-3000:]
