"""Which trials are made, and what is reported of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.test_compare import BASE, OURS, leave
from w2s_mm.commands import tune as command
from w2s_mm.commands.tune import tune
from w2s_mm.report import read_archive
from w2s_mm.utils.errors import W2SError

LR = 'optim_wrapper.optimizer.lr'
WIDTH = 'model.width'


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Runs that take no time: the list of those asked for."""
    monkeypatch.chdir(tmp_path)
    Path('base.py').write_text(BASE)
    Path('ours.py').write_text(OURS)
    Path('weak.pth').write_text('')
    asked = []

    def run(plan, launch):
        for each in plan:
            if not each.finished:
                asked.append(each)
                leave(each)

    monkeypatch.setattr(command, 'run_all', run)
    return asked


def arguments(*more):
    return ['ours.py', '--baseline', 'base.py', '--seeds', '100', '--work-dir', 'out', *more]


def options(trained, config):
    return [each.options for each in trained if each.config == config]


def test_both_sides_get_the_same_number_of_trials_and_their_config_first(trained, capsys):
    tune(arguments('--try', f'{LR}=0.05,0.1,0.2', '--try-student', f'{WIDTH}=4,8,16'))
    base, ours = (options(trained, name) for name in ('base.py', 'ours.py'))
    assert base[0] == () and set(base[1:]) == {(f'{LR}=0.05',), (f'{LR}=0.2',)}
    assert len(ours) == 3 and ours[0] == () and len(set(ours)) == 3
    shown = capsys.readouterr().out
    assert shown.count('as configured') >= 2 and 'Best by final:' in shown


def test_every_seed_has_every_trial(trained):
    tune([*arguments('--try', f'{LR}=0.05,0.2'), '--trials', '2', '--seeds', '100', '101'])
    assert len(trained) == 8
    assert {each.seed for each in trained} == {100, 101}


def test_all_runs_are_in_one_file(trained):
    tune(arguments('--try', f'{LR}=0.05,0.2'))
    archive = read_archive('out/tuning.json.gz')
    assert sorted(archive.groups) == ['base', 'ours']
    names = [variant.name for variant in archive.study('base').variants]
    assert sorted(names) == ['as_configured', f'{LR}=0.05', f'{LR}=0.2']


def test_what_is_finished_is_not_trained_again(trained):
    tune(arguments('--try', f'{LR}=0.05'))
    count = len(trained)
    tune(arguments('--try', f'{LR}=0.05,0.2'))
    assert len(trained) - count == 2


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        ([], 'Nothing to try'),
        (['--try', f'{LR}=0.05', '--trials', '0'], '--trials is 0'),
        (['--try', f'{LR}=0.05', '--trials', '3'], r'base\.py have 2 combinations'),
        (['--try', 'optim_wrapper.optimiser.lr=1'], 'optimiser.lr is not set in the config'),
    ],
)
def test_mistakes_on_the_command_line(trained, more, message):
    with pytest.raises(W2SError, match=message):
        tune(arguments(*more))
    assert trained == []


def test_long_settings_make_short_names(trained):
    assert len(command._label('x' * 400)) < 170
    assert command._label('x' * 400) != command._label('x' * 401)
