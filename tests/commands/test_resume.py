"""Which checkpoint a run continues from, whatever became of the last one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tests.hooks.toy import make_config, run, same, weights
from w2s_mm.commands.resume import checkpoint_to_resume
from w2s_mm.utils.errors import W2SError


@pytest.fixture
def stopped(tmp_path):
    """``stopped(*iters)``: a config whose work directory has these checkpoints."""

    def make(*iters, last=True, **hook):
        hook = {'type': 'CheckpointHook', 'by_epoch': False, **hook}
        cfg = Config({'work_dir': str(tmp_path / 'run'), 'default_hooks': {'checkpoint': hook}})
        Path(cfg.work_dir).mkdir()
        for done in iters:
            content = {'meta': {'iter': done}, 'state_dict': {'w': torch.ones(9)}, 'optimizer': {}}
            torch.save(content, path(cfg, done))
        if last:
            (path(cfg, 0).parent / 'last_checkpoint').write_text(str(path(cfg, iters[-1])))
        return cfg

    return make


def path(cfg, done) -> Path:
    return Path(cfg.work_dir) / f'iter_{done}.pth'


def cut(file: Path, share: float = 0.5) -> None:
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])


def test_the_last_checkpoint(stopped, capsys):
    cfg = stopped(2, 4, 6)
    source, content = checkpoint_to_resume(cfg)
    assert source == str(path(cfg, 6)) and content['meta']['iter'] == 6
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('share', [0.0, 0.1, 0.9, 0.999])
def test_a_checkpoint_cut_short_is_passed_over_with_a_message(stopped, share, capsys):
    cfg = stopped(2, 10, 12)
    cut(path(cfg, 12), share)
    source, content = checkpoint_to_resume(cfg)
    assert source == str(path(cfg, 10)) and content['meta']['iter'] == 10
    shown = capsys.readouterr().err
    assert 'iter_12.pth cannot be read' in shown and 'iter_10.pth instead' in shown


def test_the_newest_whole_one_before_it(stopped):
    cfg = stopped(2, 4, 20, 6)  # 20 is of another run: later than the last checkpoint
    cut(path(cfg, 6))
    cut(path(cfg, 4))
    assert checkpoint_to_resume(cfg)[0] == str(path(cfg, 2))


@pytest.mark.parametrize('content', ['', '\n', 'somewhere/iter_8.pth', None])
def test_a_name_that_is_empty_or_of_no_file(stopped, content, capsys):
    cfg = stopped(2, 4)
    name = Path(cfg.work_dir) / 'last_checkpoint'
    name.unlink() if content is None else name.write_text(content)
    assert checkpoint_to_resume(cfg)[0] == str(path(cfg, 4))
    assert 'iter_4.pth instead' in capsys.readouterr().err


def test_a_work_directory_that_was_moved(stopped):
    cfg = stopped(2, 4)
    moved = Path(cfg.work_dir).rename(Path(cfg.work_dir).with_name('moved'))
    cfg.work_dir = str(moved)
    assert checkpoint_to_resume(cfg)[0] == str(moved / 'iter_4.pth')


def test_checkpoints_in_another_directory(stopped, tmp_path):
    cfg = stopped(2, 4, out_dir=str(tmp_path / 'other'), filename_tmpl='at_{}.pth')
    (tmp_path / 'other' / 'run').mkdir(parents=True)
    for done in (2, 4):
        path(cfg, done).rename(tmp_path / 'other' / 'run' / f'at_{done}.pth')
    last = tmp_path / 'other' / 'run' / 'at_4.pth'
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(last))
    assert checkpoint_to_resume(cfg)[0] == str(last)
    cut(last)
    assert checkpoint_to_resume(cfg)[0] == str(last.with_name('at_2.pth'))


def test_only_broken_ones_are_an_error_and_nothing_is_started_anew(stopped):
    cfg = stopped(2, 4)
    cut(path(cfg, 2))
    cut(path(cfg, 4))
    with pytest.raises(W2SError) as refused:
        checkpoint_to_resume(cfg)
    message = str(refused.value)
    assert 'iter_2.pth cannot be read' in message and 'iter_4.pth cannot be read' in message
    assert 'leave out --resume' in message


def test_the_only_one_is_gone(stopped):
    cfg = stopped(4)
    path(cfg, 4).unlink()
    with pytest.raises(W2SError, match=r'not found: \S*iter_4\.pth[\s\S]*leave out --resume'):
        checkpoint_to_resume(cfg)


def test_a_run_stopped_before_its_first_checkpoint(tmp_path):
    assert checkpoint_to_resume(Config({'work_dir': str(tmp_path)})) is None


def test_one_without_the_state_of_the_optimizer_is_not_resumed_from(stopped):
    """MMEngine saves best_*.pth without it, and would go on with a new optimizer."""
    cfg = stopped(4)
    best = path(cfg, 4).with_name('best_iter_4.pth')
    torch.save({'meta': {'iter': 4}, 'state_dict': {'w': torch.ones(9)}}, best)
    cfg.load_from = str(best)
    with pytest.raises(W2SError, match=r'best_iter_4\.pth has no optimizer'):
        checkpoint_to_resume(cfg)
    torch.save({'state_dict': {'w': torch.ones(9)}}, best)
    with pytest.raises(W2SError, match=r'best_iter_4\.pth has no meta'):
        checkpoint_to_resume(cfg)


def test_one_that_is_named_is_not_replaced_by_another(stopped):
    cfg = stopped(2, 4)
    cut(path(cfg, 4))
    cfg.load_from = str(path(cfg, 4))
    with pytest.raises(W2SError, match=r'iter_4\.pth cannot be read'):
        checkpoint_to_resume(cfg)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_resumed_from_the_one_before_it_is_the_uninterrupted_run(tmp_path, by_epoch):
    whole = run(make_config(tmp_path / 'run', None, by_epoch=by_epoch))
    last = tmp_path / 'run' / ('epoch_4.pth' if by_epoch else 'iter_16.pth')
    cut(last)
    again = make_config(tmp_path / 'run', None, by_epoch=by_epoch, resume=True)
    again.load_from, _ = checkpoint_to_resume(again)
    assert Path(again.load_from).name == ('epoch_3.pth' if by_epoch else 'iter_12.pth')
    assert same(weights(run(again)), weights(whole))
