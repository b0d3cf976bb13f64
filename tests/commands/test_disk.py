"""A full disk and a directory that cannot be written end a run with its cause, and lose nothing."""

from __future__ import annotations

import builtins
import errno
import os
import resource
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from tests.hooks.toy import make_config, make_teacher
from w2s_mm.commands.preflight import check_work_dir
from w2s_mm.commands.train import train
from w2s_mm.utils.errors import W2SError


@pytest.fixture
def argv(tmp_path, monkeypatch):
    """``argv(name)``: the arguments of a run of the toy."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    teacher = make_teacher(tmp_path)

    def write(name, *more):
        path = tmp_path / f'{name}.py'
        make_config(tmp_path / name, teacher, by_epoch=False).dump(path)
        return [str(path), '--work-dir', str(tmp_path / name), *more]

    return write


def last(work_dir: Path) -> dict:
    name = Path((work_dir / 'last_checkpoint').read_text()).name
    return torch.load(work_dir / name, weights_only=False)['state_dict']


def same(a: dict, b: dict) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture
def from_iteration(monkeypatch):
    """``from_iteration(n, action)``: do something in iteration n of the run."""
    from w2s_mm.utils import mm

    build = mm.build_runner

    def after(iteration, action):
        class Act(Hook):
            def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
                if runner.iter == iteration:
                    action()

        def build_runner(cfg):
            runner = build(cfg)
            runner.register_hook(Act())
            return runner

        monkeypatch.setattr(mm, 'build_runner', build_runner)

    yield after
    monkeypatch.setattr(mm, 'build_runner', build)


@pytest.fixture
def file_size_limit():
    """``file_size_limit(bytes)``: larger files cannot be written, as with a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_that_does_not_fit_ends_the_run_and_the_one_before_is_used(
    argv, tmp_path, from_iteration, file_size_limit, monkeypatch
):
    train(argv('whole'))
    with monkeypatch.context():
        from_iteration(9, lambda: file_size_limit(8000))
        with pytest.raises(W2SError) as stopped:
            train(argv('run'))
    message = str(stopped.value)
    assert 'iter_12.pth could not be written: File too large' in message
    assert '--resume' in message and str(tmp_path / 'run') in message
    assert not [path for path in (tmp_path / 'run').iterdir() if path.name.startswith('.')]
    file_size_limit(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    from_iteration(9, lambda: None)
    train(argv('run', '--resume'))
    assert same(last(tmp_path / 'run'), last(tmp_path / 'whole'))


def test_a_disk_that_is_full_when_mmengine_writes(argv, tmp_path, monkeypatch):
    """It opens ``last_checkpoint``, which empties it, and cannot write its content."""
    train(argv('whole'))
    real = builtins.open
    count = []

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full(path, mode='r', *more, **options):
        if str(path).endswith('last_checkpoint') and 'w' in mode:
            count.append(path)
            if len(count) == 3:
                real(path, mode).close()
                return Full()
        return real(path, mode, *more, **options)

    with monkeypatch.context() as patched:
        patched.setattr(builtins, 'open', full)
        with pytest.raises(W2SError, match=r'run could not be written: No space left.*--resume'):
            train(argv('run'))
    assert (tmp_path / 'run' / 'last_checkpoint').read_text() == ''
    train(argv('run', '--resume'))
    assert same(last(tmp_path / 'run'), last(tmp_path / 'whole'))


def test_an_error_that_is_not_the_disk_s_is_shown_as_it_is(argv, from_iteration):
    def fail():
        raise PermissionError(errno.EACCES, 'Permission denied', '/data/image.png')

    from_iteration(2, fail)
    with pytest.raises(PermissionError, match='image'):
        train(argv('run'))


def test_a_directory_that_cannot_be_written_is_refused_before_training(tmp_path, monkeypatch):
    check_work_dir(tmp_path / 'new' / 'run')
    monkeypatch.setattr(os, 'access', lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(W2SError, match=rf'{tmp_path} cannot be written.*--work-dir'):
        check_work_dir(tmp_path / 'new' / 'run')
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(W2SError, match='file is not a directory'):
        check_work_dir(tmp_path / 'file' / 'run')


def test_a_disk_that_is_full_is_refused_before_training(tmp_path, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(W2SError, match=r'full \(1,000 bytes free\)'):
        check_work_dir(tmp_path / 'run')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(0, 0, 0))  # does not say
    check_work_dir(tmp_path / 'run')


def test_the_command_checks_its_directory(argv, tmp_path, monkeypatch):
    given = argv('run')
    monkeypatch.setattr(os, 'access', lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(W2SError, match='cannot be written'):
        train(given)
    assert not (tmp_path / 'run').exists()
