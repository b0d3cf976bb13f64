"""Progress of runs, read from what MMEngine logs."""

from __future__ import annotations

import io

import pytest

from w2s_mm.commands.progress import ITERATION, Process, Progress, duration, seconds


@pytest.mark.parametrize(
    ('line', 'step', 'left'),
    [
        ('Iter(train) [ 100/600]  lr: 1e-3  eta: 0:01:40  time: 0.2', 'iteration 100 of 600', 100),
        (
            'Epoch(train)  [3][20/63]  lr: 1e-3  eta: 1 day, 0:00:01  time: 0.2',
            'epoch 3, iteration 20 of 63',
            86401,
        ),
        (
            'Epoch(train) [12][ 1/63]  eta: 12 days, 1:00:00  x',
            'epoch 12, iteration 1 of 63',
            1040400,
        ),
    ],
)
def test_progress_is_read_from_the_log(line, step, left):
    found = ITERATION.search(line)
    epoch, done, total, eta = found.groups()
    assert f'{f"epoch {epoch}, " if epoch else ""}iteration {done} of {total}' == step
    assert seconds(eta) == left


def test_what_validations_take_is_in_the_time_left(monkeypatch):
    """Training says 100 s, then 60 s; 80 s have passed between: twice as slow as it says."""
    times = iter([1000.0, 1080.0])
    monkeypatch.setattr('w2s_mm.commands.progress.time.monotonic', lambda: next(times))
    line = 'Iter(train) [{}/500]  lr: 1e-3  eta: {}  time: 0.2\n'
    log = io.BytesIO((line.format(100, '0:01:40') + line.format(300, '0:01:00')).encode())
    each = Process('a', None, log, slot=0)
    each.read()
    assert each.left == 120 and each.step == 'iteration 300 of 500'


def test_a_line_that_is_read_in_two_parts_is_one_line(tmp_path):
    path = tmp_path / 'train.log'
    with path.open('wb') as written, path.open('rb') as log:
        each = Process('a', None, log, slot=0)
        shown = []
        for part in (b'x - INFO - Distillation en', b'ded at 4 \xce', b'\xb5 \xff.\n', b'INFO - '):
            written.write(part)
            written.flush()
            each.read()
            shown.append(list(each.events))
        assert shown[:2] == [[], []]
        assert shown[2] == shown[3] == ['Distillation ended at 4 ε �.']


@pytest.mark.parametrize(
    ('durations', 'running', 'waiting', 'jobs', 'expected'),
    [
        ([], [(5, None)], 3, 1, None),  # nothing to go by
        ([], [(20, 80)], 3, 1, 380),  # the others will take 100 s each
        ([100], [(40, None)], 1, 1, 160),
        ([100, 100], [(50, 50), (50, 50)], 2, 2, 150),
        ([10], [(50, 900)], 0, 4, 900),  # no sooner than the one that runs
    ],
)
def test_time_left(durations, running, waiting, jobs, expected):
    progress = Progress(4, 0, jobs)
    progress.durations = durations
    assert progress.remaining(running, waiting) == pytest.approx(expected)


@pytest.mark.parametrize(('time', 'text'), [(40, '40 s'), (720, '12 min'), (12600, '3.5 h')])
def test_durations_are_for_a_reader(time, text):
    assert duration(time) == text
