"""Runs that are resumed count every validation once, whoever saved the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.hooks.toy import make_config, make_teacher, run, same, weights
from w2s_mm.utils.files import write_bytes

SCHEDULE = dict(unit='training', lambda_max=1.0, warmup=0.0, hold=1.0, decay=0.0)


@pytest.fixture
def teacher(tmp_path: Path) -> dict:
    return make_teacher(tmp_path)


def read(work_dir: Path, name: str) -> dict:
    return json.loads((work_dir / name).read_text())


@pytest.fixture
def evaluations(monkeypatch):
    """How many evaluations there were; each gives a better metric than the one before."""
    count = {'done': 0}

    def compute(self, results):
        count['done'] += 1
        return dict(fit=0.1 + 0.01 * count['done'])

    monkeypatch.setattr('tests.hooks.toy.ToyFit.compute_metrics', compute)
    return count


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_new_best_is_counted_once(tmp_path, teacher, evaluations, by_epoch):
    """CheckpointHook saves a new best while the hooks of that validation are running."""

    def config(**more):
        made = make_config(
            tmp_path / 'run',
            teacher,
            by_epoch=by_epoch,
            epochs=5,
            hook=dict(reference=1e-6, stop=dict(k=4)),
            schedule=SCHEDULE,
            **more,
        )
        made.default_hooks.checkpoint.update(save_best='toy/fit', rule='greater')
        return made

    class Keep(Hook):
        """Keeps what MMEngine wrote during the second validation, which was a new best."""

        priority = 'LOWEST'

        def after_val_epoch(self, runner, metrics=None) -> None:
            if runner.iter == 8 and not (tmp_path / 'kept.pth').exists():
                regular = 'epoch_2.pth' if by_epoch else 'iter_8.pth'
                written = (tmp_path / 'run' / regular).read_bytes()
                (tmp_path / 'kept.pth').write_bytes(written)

    runner = Runner.from_cfg(config())
    runner.register_hook(Keep())
    runner.train()
    whole = [read(tmp_path / 'run', f) for f in ('weak_to_strong.json', 'time_to_target.json')]
    assert (tmp_path / 'kept.pth').exists() and whole[0]['closed_at']['iter'] == 16

    evaluations['done'] = 3  # the check of the metric's name, and the validations up to there
    resumed = run(config(resume=True, load_from=str(tmp_path / 'kept.pth')))
    again = [read(tmp_path / 'run', f) for f in ('weak_to_strong.json', 'time_to_target.json')]
    assert again[0]['history'] == whole[0]['history']
    assert again[0]['closed_at'] == whole[0]['closed_at']
    assert [p['iter'] for p in again[1]['history']] == [p['iter'] for p in whole[1]['history']]
    assert again[1]['targets'][0]['threshold'] == 0.5
    assert same(weights(resumed), weights(runner))


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_run_resumed_at_its_end_is_finished(tmp_path, teacher, by_epoch):
    """Killed between its last checkpoint and its last validation."""

    class Killed(Exception):
        pass

    class Killer(Hook):
        def before_val(self, runner) -> None:
            if runner.iter == 16:
                raise Killed

    runner = Runner.from_cfg(make_config(tmp_path / 'run', teacher, by_epoch=by_epoch))
    runner.register_hook(Killer(), priority='HIGHEST')
    with pytest.raises(Killed):
        runner.train()
    assert not read(tmp_path / 'run', 'time_to_target.json')['finished']
    for _ in range(2):  # and once more after that
        run(make_config(tmp_path / 'run', teacher, by_epoch=by_epoch, resume=True))
        told = read(tmp_path / 'run', 'time_to_target.json')
        assert told['finished']
        assert [point['iter'] for point in told['history']] == [4, 8, 12, 16]


@pytest.mark.parametrize('by_epoch', [True, False])
def test_resumed_at_its_end_the_last_checkpoint_is_that_of_the_whole_run(
    tmp_path, evaluations, by_epoch
):
    """Its last validation is a new best, with which MMEngine saves it once more."""

    class Killed(Exception):
        pass

    class Killer(Hook):
        def before_val(self, runner) -> None:
            if runner.iter == 16:
                raise Killed

    def config(**more):
        made = make_config(tmp_path / 'run', None, by_epoch=by_epoch, **more)
        made.default_hooks.checkpoint.update(save_best='toy/fit', rule='greater')
        return made

    path = tmp_path / 'run' / ('epoch_4.pth' if by_epoch else 'iter_16.pth')

    def saved():
        kept = torch.load(path, weights_only=False)
        best = kept['message_hub']['runtime_info']['best_score']
        return kept['exact_resume']['validated_iter'], best

    run(config())
    whole = saved()
    evaluations['done'] = 0
    runner = Runner.from_cfg(config())
    runner.register_hook(Killer(), priority='HIGHEST')
    with pytest.raises(Killed):
        runner.train()
    last = tmp_path / 'run' / 'last_checkpoint'
    last.write_text('')  # as a kill may leave it
    run(config(resume=True, load_from=str(path)))
    assert saved() == whole
    assert last.read_text() == str(path)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_killed_while_it_saves_it_resumes_from_the_one_before(tmp_path, monkeypatch, by_epoch):
    """With max_keep_ckpts=1 MMEngine removes that one before it writes the next."""

    class Killed(BaseException):
        pass

    def config(name, **more):
        made = make_config(tmp_path / name, None, by_epoch=by_epoch, **more)
        settings = dict(max_keep_ckpts=1, save_best='toy/fit', rule='greater')
        made.default_hooks.checkpoint.update(settings)
        return made

    def saved(name):
        return sorted(path.name for path in (tmp_path / name).glob('*.pth'))

    whole = run(config('whole'))
    last = ['epoch_4.pth' if by_epoch else 'iter_16.pth']
    assert [name for name in saved('whole') if 'best' not in name] == last

    def killed(path, *arguments, **more):
        if path.endswith(('_3.pth', 'iter_12.pth')):  # the third checkpoint
            raise Killed
        write_bytes(path, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr('w2s_mm.utils.local_backend.write_bytes', killed)
        with pytest.raises(Killed):
            run(config('run'))
    resumed = run(config('run', resume=True))
    assert same(weights(resumed), weights(whole))
    assert saved('run') == saved('whole')


@pytest.mark.slow
@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize(('workers', 'persistent'), [(0, False), (1, False), (2, True)])
def test_a_resumed_run_is_exact_or_the_run_says_so(tmp_path, workers, persistent, by_epoch):
    """ToyData augments with NumPy's random numbers, in the workers."""

    def config(name, epochs, **more):
        made = make_config(tmp_path / name, None, epochs=epochs, by_epoch=by_epoch, **more)
        for loader in (made.train_dataloader, made.val_dataloader):
            loader.update(num_workers=workers, persistent_workers=persistent)
        return made

    whole = run(config('whole', 4))
    run(config('run', 2))
    resumed = run(config('run', 4, resume=True))
    logs = [path.read_text() for path in (tmp_path / 'whole').rglob('*.log')]
    said = any('will not be exact' in log for log in logs)
    assert said == (workers > 0 and (persistent or not by_epoch))
    assert same(weights(resumed), weights(whole)) != said
