"""The report command on the files of runs."""

import json
import sys

import pytest

from w2s_mm.commands.report import main, report
from w2s_mm.utils.errors import W2SError


@pytest.fixture
def runs(write_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run('ours', [0.1, 0.22, 0.31], reference=0.2, thresholds=(0.2, 0.3))
    write_run('base', [0.1, 0.15, 0.22])
    write_run('teacher', [0.1, 0.2])
    return tmp_path


PAIR = ['ours', '--baseline', 'base', '--teacher-run', 'teacher']


def test_a_table_for_each_target_and_a_report(runs, capsys):
    report([*PAIR, '--out', 'r'])
    printed = capsys.readouterr().out
    assert 'first@AP50 20' in printed and 'first@AP50 30' in printed
    assert 'Median speedup 1.50x of 1 pair' in printed
    content = json.loads((runs / 'r/report.json').read_text())
    assert content['taus'] == [0.2, 0.3] and content['teacher_training'][0]['iters'] == 80
    names = sorted(path.name for path in (runs / 'r').iterdir())
    pictures = ['curves.png', 'curves_0.3.png', 'speedups.png', 'speedups_0.3.png']
    assert names == sorted([*pictures, 'report.html', 'report.json', 'report.md'])


def test_tables_alone_write_nothing(runs, capsys):
    before = sorted(runs.rglob('*'))
    report(['ours', '--tau', '0.25', '--clock', 'epoch', '--sustained'])
    assert 'first@AP50 25 in epochs, 2 validations in a row' in capsys.readouterr().out
    assert sorted(runs.rglob('*')) == before


def test_a_saved_study_gives_the_same_report(runs, capsys):
    report([*PAIR, '--save', 's.json.gz', '--out', 'a'])
    first = capsys.readouterr().out
    report(['s.json.gz', '--out', 'b'])
    again = capsys.readouterr().out
    assert first.split('Report written')[0] == again.split('Report written')[0]
    for path in (runs / 'a').iterdir():
        assert path.read_bytes() == (runs / 'b' / path.name).read_bytes(), path.name


def test_a_group_is_saved_and_reported_by_name(runs, capsys):
    report([*PAIR, '--save', 's.json.gz'])
    report(['base', '--save', 's.json.gz', '--group', 'alone'])
    capsys.readouterr()
    report(['s.json.gz', '--group', 'alone'])
    printed = capsys.readouterr().out
    assert 'speedup' not in printed and 'Groups in s.json.gz: main, alone.' in printed


def test_a_report_is_written_into_a_page(runs):
    report([*PAIR, '--save', 's.json.gz'])
    (runs / 'p.md').write_text('<!-- w2s report: main -->\n<!-- end of w2s report -->\n')
    report(['s.json.gz', '--page', 'p.md'])
    assert '# AP50 20 reached 1.50x as fast' in (runs / 'p.md').read_text()
    assert (runs / 'p_curves.png').is_file() and (runs / 'p_curves_0.3.png').is_file()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['ours', '--page', 'p.md'], 'need a study'),
        (['ours', '--group', 'x'], 'need a study'),
        (['s.json.gz', '--baseline', 'base'], 'has its runs, baseline and targets'),
        (['s.json.gz', 'ours'], 'has its runs, baseline and targets'),
        (['s.json.gz', '--page', 'nowhere.md'], r'No such file.*nowhere.md.*Check the paths'),
    ],
)
def test_mistakes_on_the_command_line_are_refused(runs, arguments, message):
    report([*PAIR, '--save', 's.json.gz'])
    with pytest.raises(W2SError, match=message):
        report(arguments)


def test_an_error_is_one_line(runs, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['report.py', 'nowhere'])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith('\nerror: nowhere is not a directory')
