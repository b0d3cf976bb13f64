"""Files are written whole or not at all."""

import errno
import json
import os

import pytest

from w2s_mm.utils.files import write_bytes, write_json


def full_disk(monkeypatch):
    """Every ``fsync`` fails as on a full disk, after the content has been handed over."""

    def fail(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', fail)


def test_a_failed_write_leaves_the_file_as_it_was_and_names_it(tmp_path, monkeypatch):
    path = tmp_path / 'file.json'
    write_json(path, {'a': 1})
    full_disk(monkeypatch)
    with pytest.raises(OSError, match='No space left') as failed:
        write_bytes(path, b'x' * 100)
    assert failed.value.filename == str(path) and failed.value.errno == errno.ENOSPC
    assert json.loads(path.read_text()) == {'a': 1}
    assert os.listdir(tmp_path) == ['file.json']  # no part of the new one is left
