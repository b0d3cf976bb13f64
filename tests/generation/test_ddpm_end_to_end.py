"""Whole runs of the training command on the 8 px digits: contracts 1, 2 and 4 on diffusion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from w2s_mm.commands.train import train
from w2s_mm.generation import DDPM, load_pipeline
from w2s_mm.utils.errors import W2SError

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs/digits'
FID = 'FID-digits-classifier'


@pytest.fixture(scope='module')
def classifier(tmp_path_factory) -> Path:
    work_dir = tmp_path_factory.mktemp('classifier')
    short = ('train_cfg.max_iters=2', 'train_cfg.val_interval=2')
    options = (*short, 'default_hooks.checkpoint.interval=2')
    config = str(CONFIGS / 'fid_classifier.py')
    train([config, '--work-dir', str(work_dir), '--seed', '0', '--cfg-options', *options])
    return work_dir / 'iter_2.pth'


@pytest.fixture(scope='module')
def run(classifier):
    """``run(config, work_dir, *options)``: six iterations; gives the last checkpoint."""

    def training(config: str, work_dir: Path, *options: str, resume: bool = False) -> dict:
        argv = [
            *(str(CONFIGS / f'{config}.py'), '--work-dir', str(work_dir), '--seed', '3'),
            *(['--resume'] if resume else []),
            '--cfg-options',
            *('train_cfg.max_iters=6', 'train_cfg.val_interval=2'),
            *('default_hooks.checkpoint.interval=2', 'default_hooks.checkpoint.max_keep_ckpts=-1'),
            *('train_dataloader.batch_size=4', 'auto_scale_lr.base_batch_size=4'),
            'val_dataloader.dataset.count=40',
            *('model.unet.channels=8', 'model.sampling.steps=2'),
            f'val_evaluator.features.config={CONFIGS}/fid_classifier.py',
            f'val_evaluator.features.checkpoint={classifier}',
            f'val_evaluator.cache={classifier.parent}/reference',
            *options,
        ]
        train(argv)
        return torch.load(work_dir / 'iter_6.pth', weights_only=False)

    return training


@pytest.fixture(scope='module')
def teacher(run, tmp_path_factory) -> tuple[str, ...]:
    """Options of a student whose teacher is there and is never surpassed."""
    work_dir = tmp_path_factory.mktemp('teacher')
    run('ddpm_teacher', work_dir, 'train_cfg.val_interval=6')
    config = Config.fromfile(CONFIGS / 'ddpm_teacher.py')
    config.merge_from_dict({'model.unet.channels': 8, 'model.sampling.steps': 2})
    config.dump(work_dir / 'teacher.py')
    schedule = 'default_hooks.weak_to_strong.schedule'
    return (
        f'model.teacher.config={work_dir}/teacher.py',
        f'model.teacher.checkpoint={work_dir}/iter_6.pth',
        'default_hooks.weak_to_strong.reference=1e-9',
        *(f'{schedule}.unit=training', f'{schedule}.warmup=0.2'),
        *(f'{schedule}.hold=0.8', f'{schedule}.decay=0.0'),
    )


def same(a: dict, b: dict) -> bool:
    return all(
        a[kind].keys() == b[kind].keys()
        and all(torch.equal(a[kind][key], b[kind][key]) for key in a[kind])
        for kind in ('state_dict', 'ema_state_dict')
    )


def told(work_dir: Path, name: str) -> dict:
    return json.loads((work_dir / f'{name}.json').read_text())


def curve(work_dir: Path) -> list[tuple[int, float]]:
    return [(p['iter'], p['value']) for p in told(work_dir, 'time_to_target')['history']]


def test_switched_off_it_is_the_baseline_bit_by_bit_and_distilling_it_is_not(
    run, teacher, tmp_path
):
    base = run('ddpm_baseline', tmp_path / 'base')
    off = run('ddpm_student', tmp_path / 'off', *teacher, 'model.gamma=0')
    ours = run('ddpm_student', tmp_path / 'ours', *teacher)
    assert same(off, base)
    assert curve(tmp_path / 'off') == curve(tmp_path / 'base')
    assert not same(ours, base)
    plain = MODELS.build(Config.fromfile(tmp_path / 'base/ddpm_baseline.py').model)
    plain.load_state_dict(ours['state_dict'], strict=True)
    story = told(tmp_path / 'ours', 'weak_to_strong')
    assert (story['metric'], story['rule'], story['stop']['k']) == (FID, 'less', 2)
    assert told(tmp_path / 'ours', 'time_to_target')['hits_in_a_row'] == 2


def test_how_often_it_is_validated_changes_no_training(run, tmp_path):
    often = run('ddpm_baseline', tmp_path / 'often')
    once = run('ddpm_baseline', tmp_path / 'once', 'train_cfg.val_interval=6')
    assert same(often, once)
    assert curve(tmp_path / 'often')[-1] == curve(tmp_path / 'once')[-1]
    pictures = sorted(path.name for path in (tmp_path / 'often/samples').iterdir())
    assert pictures == ['iter_000002.png', 'iter_000004.png', 'iter_000006.png']


def test_resumed_from_the_middle_it_is_the_uninterrupted_run(run, teacher, tmp_path):
    whole = run('ddpm_student', tmp_path, *teacher)
    story, values = told(tmp_path, 'weak_to_strong'), curve(tmp_path)
    # As if killed after the checkpoint of iteration 4, before its validation.
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_4.pth'))
    (tmp_path / 'iter_6.pth').unlink()
    again = run('ddpm_student', tmp_path, *teacher, resume=True)
    assert same(again, whole)
    assert told(tmp_path, 'weak_to_strong') == story
    assert curve(tmp_path) == values


def test_the_teachers_fid_is_measured_as_the_students(run, teacher, tmp_path):
    measured = tuple(option for option in teacher if 'reference' not in option)
    run('ddpm_student', tmp_path, *measured)
    reference = told(tmp_path, 'weak_to_strong')['reference']
    checkpoint = next(o for o in teacher if 'checkpoint' in o).split('=')[1]
    (_, alone), *rest = curve(Path(checkpoint).parent)
    assert not rest
    # The teacher is laid out for inference: the last bit of a pixel may differ.
    assert reference == pytest.approx(alone, rel=1e-3)


def test_a_sample_that_is_not_a_number_ends_the_run_and_the_checkpoints_stay_whole(
    run, tmp_path, monkeypatch
):
    whole = run('ddpm_baseline', tmp_path / 'whole')
    predict = DDPM.sample
    calls = []

    def diverged(self, *args, **kwargs):
        calls.append(1)
        return predict(self, *args, **kwargs) * (float('nan') if len(calls) == 2 else 1)

    with monkeypatch.context() as broken:
        broken.setattr(DDPM, 'sample', diverged)
        with pytest.raises(W2SError, match='40 of 40 samples contain NaN'):
            run('ddpm_baseline', tmp_path / 'run')
    assert not (tmp_path / 'run/iter_6.pth').exists()
    assert same(run('ddpm_baseline', tmp_path / 'run', resume=True), whole)


def export(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, 'tools/export_ddpm.py', *argv]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_a_students_averaged_weights_are_exported(run, teacher, tmp_path):
    saved = run('ddpm_student', tmp_path / 'run', *teacher)
    files = [str(tmp_path / 'run/ddpm_student.py'), str(tmp_path / 'run/iter_6.pth')]
    done = export(*files, str(tmp_path / 'folder'))
    assert done.returncode == 0, done.stderr
    assert 'averaged weights; samples are identical' in done.stdout
    state = load_pipeline(tmp_path / 'folder').state_dict()
    kept = {key.removeprefix('unet.'): value for key, value in saved['state_dict'].items()}
    assert state.keys() == kept.keys() and all(torch.equal(state[k], kept[k]) for k in kept)
    again = export(*files, str(tmp_path / 'folder'))
    assert again.returncode == 2 and 'already exists' in again.stderr
    assert 'Traceback' not in again.stderr


@pytest.mark.parametrize(
    ('option', 'match'),
    [
        ('model.noise_schedule=linear', 'differ in their noise schedule'),
        ('model.steps=500', r"teacher \('cosine', 1000\), student \('cosine', 500\)"),
        ('model.unet.image_size=16', 'image shape'),
        ('val_dataloader.dataset.count=20', 'needs at least 33'),
        ('val_evaluator.features.checkpoint=no/such.pth', r'w2s train .*fid_classifier'),
        ('model.teacher.checkpoint=no/such.pth', 'Train the teacher first'),
    ],
)
def test_bad_input_is_refused_before_training(run, teacher, tmp_path, option, match):
    with pytest.raises(W2SError, match=match):
        run('ddpm_student', tmp_path, *teacher, option)
    assert not list(tmp_path.glob('iter_*.pth'))
