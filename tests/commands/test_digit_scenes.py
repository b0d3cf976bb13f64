import pytest

from w2s_mm.commands.digit_scenes import digit_scenes
from w2s_mm.utils.errors import W2SError

SMALL = ('--num-train', '2', '--num-val', '1', '--size', '64')


def test_scenes_are_written_once_and_others_are_not_replaced(tmp_path, capsys):
    root = ('--root', str(tmp_path / 'scenes'))
    digit_scenes([*root, *SMALL])
    assert (tmp_path / 'scenes/annotations/train.json').is_file()
    digit_scenes([*root, *SMALL])
    assert 'written to' in (shown := capsys.readouterr().out) and 'already in' in shown
    with pytest.raises(W2SError, match='scenes'):
        digit_scenes([*root, *SMALL, '--seed', '1'])
    digit_scenes([*root, *SMALL, '--seed', '1', '--force', '--figure', str(tmp_path / 'f.png')])
    assert (tmp_path / 'f.png').is_file()
