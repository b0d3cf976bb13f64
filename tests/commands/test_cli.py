"""What the commands have in common: ends, and what a config needs before it is imported."""

import importlib.util
import subprocess
import sys

import pytest

from w2s_mm.commands import cli
from w2s_mm.commands.cli import read_checked
from w2s_mm.utils.errors import W2SError


@pytest.mark.parametrize(
    ('raised', 'code', 'shown'),
    [(W2SError('fix this'), 2, 'error: fix this'), (KeyboardInterrupt(), 130, 'Interrupted.')],
)
def test_ends_of_a_command(raised, code, shown, monkeypatch, capsys):
    def command():
        raise raised

    with pytest.raises(SystemExit) as stopped:
        cli.run_command(command)
    assert stopped.value.code == code
    assert shown in capsys.readouterr().err


def test_other_errors_keep_their_traceback():
    def command():
        raise KeyError('a bug')

    with pytest.raises(KeyError):
        cli.run_command(command)


@pytest.mark.parametrize(
    ('package', 'text'),
    [
        ('diffusers', "custom_imports = dict(imports=['w2s_mm.generation', 'no.such.module'])"),
        ('mmdet', "_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'"),
        ('mmdet', "default_scope = 'mmdet'"),
        ('mmpretrain', "_base_ = 'mmpretrain::_base_/default_runtime.py'"),
    ],
)
def test_what_a_configs_task_needs_is_named_before_it_is_imported(
    package, text, tmp_path, monkeypatch
):
    path = tmp_path / 'mine.py'
    path.write_text(text)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        'importlib.util.find_spec', lambda name, *a: None if name == package else find(name, *a)
    )
    monkeypatch.setattr(
        'mmengine.config.config.is_installed', lambda name: name != package, raising=True
    )
    with pytest.raises(W2SError, match=f'{package}: not found'):
        read_checked(str(path))


@pytest.mark.slow
def test_what_needs_no_mmdet_does_not_wait_for_it():
    code = (
        'import sys; from w2s_mm.commands.cli import read_checked; '
        "read_checked('w2s_mm::digits/ddpm_baseline.py'); "
        "sys.exit('mmdet' in sys.modules)"
    )
    assert subprocess.run([sys.executable, '-c', code], timeout=1800).returncode == 0
