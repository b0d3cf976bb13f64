"""The console command: its commands, its help, and how fast it is without the stack."""

import importlib.util
import subprocess
import sys

import pytest

from w2s_mm import __version__
from w2s_mm.__main__ import COMMANDS, main


def test_help_has_a_line_for_each_command(capsys):
    main(['--help'])
    shown = capsys.readouterr().out
    assert all(f'  {name} ' in shown and what in shown for name, (_, what) in COMMANDS.items())


def test_version(capsys):
    main(['--version'])
    assert capsys.readouterr().out == f'w2s_mm {__version__}\n'


def test_an_unknown_command_is_an_error_with_the_list(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['trian'])
    shown = capsys.readouterr().err
    assert stopped.value.code == 2
    assert "Unknown command 'trian'" in shown and all(name in shown for name in COMMANDS)


def test_without_a_command_the_help_is_shown(capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2 and 'usage: w2s COMMAND' in capsys.readouterr().err


@pytest.mark.parametrize('module', [module for module, _ in COMMANDS.values()])
def test_every_command_has_its_module(module):
    assert importlib.util.find_spec(f'w2s_mm.commands.{module}') is not None


def test_a_command_gets_its_arguments(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['coco-split', '--root', str(tmp_path)])
    assert stopped.value.code == 2
    assert 'instances_train2017.json not found' in capsys.readouterr().err


def test_help_imports_nothing_that_is_slow():
    code = (
        'import sys; from w2s_mm.__main__ import main; main(["--help"]); '
        'sys.exit(any(name in sys.modules for name in ("torch", "mmengine", "matplotlib")))'
    )
    assert subprocess.run([sys.executable, '-c', code], capture_output=True).returncode == 0
