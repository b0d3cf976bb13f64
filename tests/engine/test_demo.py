"""The demo's progress lines; the whole demo runs in the slow tier."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from w2s_mm.engine import demo

TRAIN = (
    '11/20 - mmengine - INFO - Iter(train) [100/600]  lr: 1.0000e-03  eta: 0:01:40  '
    'time: 0.2  loss: 0.9123  loss_cls: 0.5\n'
)
VAL = '11/20 - mmengine - INFO - Iter(val) [8/8]    coco/bbox_mAP: 0.1  coco/bbox_mAP_50: 0.3410\n'


def test_progress_shows_iteration_time_left_loss_and_last_score(capsys):
    progress = demo.Progress()
    progress.show(VAL)
    progress.show(TRAIN)
    assert capsys.readouterr().out == (
        '      iteration  100 of 600, 0:01:40 left, loss 0.9123, AP50 34.1\n'
    )


def test_lines_that_say_nothing_to_a_user_stay_in_the_log(capsys):
    demo.Progress().show('loading annotations into memory...\n')
    assert capsys.readouterr().out == ''


def test_a_finished_run_is_not_trained_again(tmp_path):
    assert not demo._finished(tmp_path)
    for finished in (False, True):
        (tmp_path / 'time_to_target.json').write_text(json.dumps({'finished': finished}))
        assert demo._finished(tmp_path) is finished


@pytest.mark.slow
def test_the_whole_demo_ends_with_a_table_and_a_picture(tmp_path):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, 'tools/demo.py', '--work-dir', str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    assert 'AP50 30' in done.stdout
    assert (tmp_path / 'first_at_seed0.png').stat().st_size > 10_000
