"""Checkpoints on a local disk."""

import os

import pytest
from mmengine.fileio import get_file_backend
from mmengine.runner.checkpoint import save_checkpoint

import w2s_mm.hooks  # noqa: F401  (registers the backend)


class Killed(BaseException):
    """A kill: nothing after it is done."""


def test_a_checkpoint_is_replaced_by_a_whole_one(tmp_path, monkeypatch):
    path = tmp_path / 'iter_2.pth'
    save_checkpoint({'a': 1}, str(path))
    before = path.read_bytes()

    def killed(_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, 'fsync', killed)
        with pytest.raises(Killed):
            save_checkpoint({'a': list(range(1000))}, str(path))
    assert path.read_bytes() == before
    save_checkpoint({'a': 3}, str(path))  # what a kill leaves is used up by the next one
    assert path.read_bytes() != before and os.listdir(tmp_path) == ['iter_2.pth']


def test_other_file_backends_are_as_they_were():
    names = {prefix: type(get_file_backend(f'{prefix}://x')).__name__ for prefix in ('http',)}
    assert names == {'http': 'HTTPBackend'}
