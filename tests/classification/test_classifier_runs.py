"""Whole runs of the training command on the noisy digits: contracts 1, 2 and 4 on a classifier."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from w2s_mm.commands.test import test as evaluate
from w2s_mm.commands.train import train
from w2s_mm.utils.errors import W2SError

CONFIGS = Path(__file__).parents[2] / 'configs'
SETTINGS = (
    'train_cfg.max_iters=6',
    'train_cfg.val_interval=2',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.checkpoint.max_keep_ckpts=-1',
    'train_dataloader.batch_size=4',
    'auto_scale_lr.base_batch_size=4',
    'train_dataloader.dataset.indices=40',
    'val_dataloader.dataset.indices=20',
)


@pytest.fixture(scope='module')
def teacher(tmp_path_factory) -> Path:
    work_dir = tmp_path_factory.mktemp('teacher')
    run('classifier_teacher', work_dir)
    return work_dir / 'iter_6.pth'


def arguments(config: str, work_dir: Path, *options: str) -> list[str]:
    path = str(CONFIGS / f'digits/{config}.py')
    settings = ['--cfg-options', *SETTINGS, *options]
    return [path, '--work-dir', str(work_dir), '--seed', '103', *settings]


def run(config: str, work_dir: Path, *options: str, resume: bool = False) -> dict:
    argv = arguments(config, work_dir, *options)
    train([*argv, '--resume'] if resume else argv)
    return torch.load(work_dir / 'iter_6.pth', weights_only=False)


def student_options(teacher: Path, *more: str) -> tuple[str, ...]:
    schedule = 'default_hooks.weak_to_strong.schedule'
    return (
        f'model.teacher.checkpoint={teacher}',
        f'model.teacher.config={CONFIGS}/digits/classifier_teacher.py',
        'default_hooks.weak_to_strong.reference=99.0',
        f'{schedule}.unit=iter',
        f'{schedule}.warmup=2',
        f'{schedule}.hold=4',
        f'{schedule}.decay=0',
        *more,
    )


MIXED = ('model.train_cfg.augments.type=Mixup', 'model.train_cfg.augments.alpha=1.0')


def same(a: dict, b: dict) -> bool:
    a, b = a['state_dict'], b['state_dict']
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.slow
def test_switched_off_it_is_the_baseline_and_distilling_it_is_not(teacher, tmp_path):
    base = run('classifier_baseline', tmp_path / 'base')
    off = run('classifier_student', tmp_path / 'off', *student_options(teacher, 'model.gamma=0'))
    ours = run('classifier_student', tmp_path / 'ours', *student_options(teacher))
    assert same(off, base) and not same(ours, base)
    cfg = Config.fromfile(CONFIGS / 'digits/classifier_baseline.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        MODELS.build(cfg.model).load_state_dict(ours['state_dict'], strict=True)


@pytest.mark.parametrize('options', [(), MIXED], ids=['plain', 'mixed'])
@pytest.mark.slow
def test_resumed_from_the_middle_it_is_the_uninterrupted_run(options, teacher, tmp_path):
    options = student_options(teacher, *options)
    work_dir = tmp_path / 'run'
    whole = run('classifier_student', work_dir, *options)
    story = json.loads((work_dir / 'weak_to_strong.json').read_text())
    # As if killed after the checkpoint of iteration 4, before its validation.
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'iter_4.pth'))
    (work_dir / 'iter_6.pth').unlink()
    again = run('classifier_student', work_dir, *options, resume=True)
    assert same(again, whole)
    assert json.loads((work_dir / 'weak_to_strong.json').read_text()) == story


@pytest.mark.slow
def test_the_teacher_is_measured_as_it_measures_itself(teacher, tmp_path):
    options = [o for o in student_options(teacher) if 'reference' not in o]
    run('classifier_student', tmp_path / 'run', *options)
    reference = json.loads((tmp_path / 'run' / 'weak_to_strong.json').read_text())['reference']
    own = json.loads((teacher.parent / 'time_to_target.json').read_text())['history'][-1]
    assert reference == pytest.approx(own['value'], abs=5.1)  # one of 20 images may tip over


@pytest.mark.slow
def test_a_student_is_evaluated_without_its_teacher(teacher, tmp_path, monkeypatch):
    run('classifier_student', tmp_path / 'run', *student_options(teacher))
    argv = arguments('classifier_student', tmp_path / 'test')
    argv = [argv[0], str(tmp_path / 'run' / 'iter_6.pth'), '--work-dir', str(tmp_path / 'test')]
    evaluate([*argv, '--cfg-options', 'test_dataloader.dataset.indices=20'])
    assert list((tmp_path / 'test').rglob('*.json'))

    drawn, out = tmp_path / 'drawn', tmp_path / 'predictions.pkl'
    options = ['--cfg-options', 'test_dataloader.dataset.indices=20']
    evaluate([*argv, '--show-dir', str(drawn), '--out', str(out), *options])
    assert len(list(drawn.glob('*.png'))) == 20
    assert len(pickle.loads(out.read_bytes())) == 20


@pytest.mark.parametrize(
    ('option', 'match'),
    [
        ('model.teacher.checkpoint=not/there.pth', 'Train the teacher first'),
        ('default_hooks.weak_to_strong.temperature.end=0', r'temperature\.end is 0'),
        ('default_hooks.weak_to_strong.schedule.hold=2000', 'longer than the run'),
        ('model.head.num_classes=7', 'number of classes: teacher 10, student 7'),
        ('default_hooks.weak_to_strong.metric=top1', 'accuracy/top1'),
    ],
)
def test_bad_input_is_refused_before_training(teacher, tmp_path, option, match):
    argv = arguments('classifier_student', tmp_path / 'run', *student_options(teacher))
    with pytest.raises(W2SError, match=match):
        train([*argv, option])
    assert not list((tmp_path / 'run').glob('iter_*.pth'))


@pytest.mark.parametrize(
    ('config', 'where'),
    [
        ('imagenet_resnet18_to_resnet50_sgd', 'data/imagenet'),
        ('cifar100_densenet40_to_resnet18_sgd', 'data/cifar100'),
        ('baselines/cifar10_mobilenetv2', 'data/cifar10'),
        ('small/cifar10_baseline', 'data/cifar10_images(/train)?'),
    ],
)
def test_data_that_is_missing_is_said_with_what_to_download(config, where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(W2SError, match=rf'{where} does not exist\. Download .* {where}'):
        train([str(CONFIGS / f'{config}.py'), '--work-dir', str(tmp_path / 'run')])
