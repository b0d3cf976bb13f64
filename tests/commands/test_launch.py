"""Runs of a script that takes milliseconds; a real pair is in test_compare.py."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from w2s_mm.commands import launch
from w2s_mm.commands.launch import Launch, PlannedRun, options_of, run_all
from w2s_mm.utils.errors import W2SError


def measured(finished):
    """What TimeToTargetHook writes."""
    told = {'format': 1, 'finished': finished, 'metric': 'x', 'rule': 'greater', 'seed': 0}
    counts = {'hits_in_a_row': 2, 'max_iters': 9}
    return json.dumps({**told, **counts, 'history': [], 'targets': []})


SCRIPT = """
import pathlib, sys, time
folder, what = pathlib.Path(sys.argv[1]), sys.argv[2]
with (folder / 'calls').open('a') as calls:
    calls.write(what + '\\n')
print('x - INFO - Iter(train) [100/600]  lr: 1e-3  eta: 0:01:40  time: 0.2  loss: 0.9', flush=True)
print('x - INFO - Distillation ended at iteration 100: because.', flush=True)
if what == 'fail':
    sys.exit('it broke')
if what == 'hang':
    time.sleep(600)
if what != 'unfinished':
    (folder / 'time_to_target.json').write_text(sys.argv[3])
"""


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """``planned(name, what)``: a run that does ``what``."""
    script = tmp_path / 'train.py'
    script.write_text(SCRIPT)
    whats = {}
    monkeypatch.setattr(launch, '_POLL', 0.02)
    monkeypatch.setattr(
        PlannedRun,
        'command',
        lambda self, launch: [
            *(sys.executable, str(script), str(self.run_dir), whats[self.name], measured(True))
        ],
    )

    def make(name, what='work'):
        whats[name] = what
        return PlannedRun(name, 'config.py', 0, tmp_path / name)

    return make


def calls(run):
    path = run.run_dir / 'calls'
    return path.read_text().split() if path.is_file() else []


@pytest.mark.parametrize('jobs', [1, 2, 5])
def test_all_are_run_and_what_is_finished_is_not_run_again(planned, jobs, capsys):
    plan = [planned(name) for name in 'abc']
    run_all(plan, Launch(jobs))
    run_all([*plan, planned('d')], Launch(jobs))
    assert [calls(each) for each in plan] == [['work']] * 3
    shown = capsys.readouterr().out
    assert '3 of 4 runs are finished already.' in shown
    assert '[3/3]' in shown and '[4/4] d, seed 0: finished in' in shown
    assert 'a, seed 0: Distillation ended at iteration 100: because.' in shown


@pytest.mark.parametrize('jobs', [1, 2])
def test_the_events_of_a_run_that_ends_before_it_is_looked_at_are_shown(
    planned, jobs, capsys, monkeypatch
):
    class Ended(subprocess.Popen):
        """A process that has ended when it is first looked at."""

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.wait()

    monkeypatch.setattr(launch.subprocess, 'Popen', Ended)
    run_all([planned('a'), planned('b')], Launch(jobs))
    shown = capsys.readouterr().out
    for name in 'ab':
        assert shown.count(f'{name}, seed 0: Distillation ended at iteration 100: because.') == 1


def test_what_an_earlier_run_logged_is_not_shown_again(planned, capsys):
    again = planned('a', 'unfinished')
    with pytest.raises(W2SError):
        run_all([again])
    capsys.readouterr()
    run_all([planned('a')])
    assert capsys.readouterr().out.count('Distillation ended') == 1


def test_a_failure_ends_all_and_shows_the_end_of_its_log(planned):
    plan = [planned('hangs', 'hang'), planned('fails', 'fail'), planned('waits')]
    with pytest.raises(W2SError, match=r'fails, seed 0, failed \(exit status 1\)[\s\S]*it broke'):
        run_all(plan, Launch(2))
    assert not plan[0].finished  # it was stopped, not waited for
    assert calls(plan[2]) == []


def test_a_run_that_does_not_say_it_is_finished_is_an_error(planned):
    with pytest.raises(W2SError, match='does not say that it is finished'):
        run_all([planned('a', 'unfinished')])


def test_a_check_that_fails_ends_what_runs(planned):
    def check(started):
        if started:
            raise W2SError('not alike')

    hanging = planned('hangs', 'hang')
    with pytest.raises(W2SError, match='not alike'):
        run_all([hanging], check=check)
    assert not hanging.finished  # it was stopped, not waited for


def test_finished_ones_are_checked_before_anything_starts(planned):
    done, new = planned('a'), planned('b')
    run_all([done])
    seen = []

    def check(started):
        seen.append([each.name for each in started])
        raise W2SError('stop')

    with pytest.raises(W2SError, match='stop'):
        run_all([done, new], check=check)
    assert seen == [['a']] and calls(new) == []


def test_an_interrupted_run_is_resumed(tmp_path):
    run = PlannedRun('a', 'c.py', 3, tmp_path, ('model.gamma=0',))
    assert run.command()[1:] == [
        *('-m', 'w2s_mm', 'train'),
        *('c.py', '--work-dir', str(tmp_path), '--seed', '3'),
        *('--cfg-options', 'model.gamma=0'),
    ]
    (tmp_path / 'last_checkpoint').write_text('iter_1.pth')
    assert '--resume' in run.command()
    (tmp_path / 'time_to_target.json').write_text(measured(False))
    assert not run.finished


def test_a_run_on_several_gpus_goes_through_torchrun(tmp_path):
    run = PlannedRun('a', 'c.py', 3, tmp_path, budget=0.5)
    command = run.command(Launch(launcher='pytorch', gpus_per_run=4))
    assert command[1:] == [
        *('-m', 'torch.distributed.run', '--rdzv-backend=c10d', '--rdzv-endpoint=localhost:0'),
        *('--nproc-per-node=4', '-m', 'w2s_mm', 'train', 'c.py', '--work-dir', str(tmp_path)),
        *('--seed', '3', '--launcher', 'pytorch', '--budget', '0.5'),
    ]


def test_slurm_gets_its_own_arguments_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv('SRUN_ARGS', "-p gpu --comment 'two words'")
    run = PlannedRun('a', 'c.py', 3, tmp_path)
    command = run.command(Launch(launcher='slurm', gpus_per_run=16))
    assert command[: command.index(sys.executable)] == [
        *('srun', '--job-name=a', '--gres=gpu:8', '--ntasks=16', '--ntasks-per-node=8'),
        *('--kill-on-bad-exit=1', '-p', 'gpu', '--comment', 'two words'),
    ]
    assert command[-2:] == ['--launcher', 'slurm']


def test_runs_in_parallel_get_gpus_of_their_own(planned, monkeypatch):
    seen = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            seen.append(kwargs['env'].get('CUDA_VISIBLE_DEVICES'))
            super().__init__(*args, **kwargs)

    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    monkeypatch.setattr(launch.subprocess, 'Popen', Recorded)
    monkeypatch.setattr(launch, '_gpus', lambda: 4)
    run_all([planned('a', 'work'), planned('b', 'work')], Launch(2, 'pytorch', 2))
    assert sorted(seen) == ['0,1', '2,3']


def test_more_gpus_than_there_are_is_refused(planned, monkeypatch):
    monkeypatch.setattr(launch, '_gpus', lambda: 2)
    with pytest.raises(W2SError, match='4 GPUs a run, and this machine has 2'):
        run_all([planned('a')], Launch(1, 'pytorch', 4))


@pytest.mark.parametrize('name', ['time_to_target.json', 'run.json', 'weak_to_strong.json'])
def test_a_run_whose_files_were_cut_short_is_resumed_to_write_them_again(tmp_path, name):
    run = PlannedRun('a', 'c.py', 3, tmp_path)
    (tmp_path / 'time_to_target.json').write_text(measured(True))
    assert run.finished
    (tmp_path / name).write_text('{"format": 1, "fini')
    assert not run.finished
    (tmp_path / name).write_text('{"format": 7}')  # whole, of another version
    with pytest.raises(W2SError, match='format 7'):
        run.finished  # noqa: B018


def test_options_are_typed_as_they_were_read():
    from mmengine.config import DictAction

    given = {'a.b': 1, 'c': [1, 2], 'd': (0.5, 'x'), 'e': True, 'f': 'word', 'g': None}
    for typed, (key, value) in zip(options_of(given), given.items(), strict=True):
        name, text = typed.split('=', 1)
        assert (name, DictAction._parse_iterable(text)) == (key, value)
