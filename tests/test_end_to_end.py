"""Whole runs of the training command on small digit scenes: contracts 1, 2 and 4 on detectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, init_default_scope

from w2s_mm.commands.train import train
from w2s_mm.datasets.digit_scenes import write_digit_scenes
from w2s_mm.utils.errors import W2SError

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[1] / 'configs/digits'
CONTRACTS = ('retinanet', 'faster_rcnn')  # one stage, two stages
FAMILIES = ('atss', 'fcos', 'gfl', 'rtmdet', 'mask_rcnn', 'cascade_rcnn')


@pytest.fixture(scope='module')
def scenes(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'scenes'
    write_digit_scenes(root, num_train=16, num_val=8, size=64)
    return root


@pytest.fixture(scope='module', params=CONTRACTS)
def family(request) -> str:
    return request.param


@pytest.fixture(scope='module')
def teacher(family, scenes, tmp_path_factory) -> Path:
    work_dir = tmp_path_factory.mktemp('teacher')
    run(f'{family}_teacher', work_dir, scenes)
    return work_dir / 'iter_6.pth'


def arguments(config: str, work_dir: Path, scenes: Path, *options: str) -> list[str]:
    settings = [
        'train_cfg.max_iters=6',
        'train_cfg.val_interval=2',
        'default_hooks.checkpoint.interval=2',
        'default_hooks.checkpoint.max_keep_ckpts=-1',
        'train_dataloader.batch_size=4',
        'auto_scale_lr.base_batch_size=4',
        f'train_dataloader.dataset.data_root={scenes}/',
        f'val_dataloader.dataset.data_root={scenes}/',
        f'val_evaluator.ann_file={scenes}/annotations/val.json',
    ]
    return [
        str(CONFIGS / f'{config}.py'),
        '--work-dir',
        str(work_dir),
        '--seed',
        '3',
        '--cfg-options',
        *settings,
        *options,
    ]


def run(config: str, work_dir: Path, scenes: Path, *options: str, resume: bool = False) -> dict:
    argv = arguments(config, work_dir, scenes, *options)
    train([*argv, '--resume'] if resume else argv)
    return torch.load(work_dir / 'iter_6.pth', weights_only=False)


def student_options(family: str, teacher: Path, *more: str) -> tuple[str, ...]:
    schedule = 'default_hooks.weak_to_strong.schedule'
    return (
        f'model.teacher.checkpoint={teacher}',
        f'model.teacher.config={CONFIGS}/{family}_teacher.py',
        'model.distill_head.score_thr=0.004',  # six iterations make no confident teacher
        'default_hooks.weak_to_strong.reference=0.9',
        f'{schedule}.unit=training',
        f'{schedule}.warmup=0.2',
        f'{schedule}.hold=0.8',
        f'{schedule}.decay=0.0',
        *more,
    )


def same(a: dict, b: dict) -> bool:
    a, b = a['state_dict'], b['state_dict']
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_switched_off_from_the_command_line_it_is_the_baseline_bit_by_bit(
    family, scenes, teacher, tmp_path
):
    base = run(f'{family}_baseline', tmp_path / 'base', scenes)
    off = run(
        f'{family}_student',
        tmp_path / 'off',
        scenes,
        *student_options(family, teacher, 'model.gamma=0'),
    )
    assert same(off, base)


def test_distilling_changes_the_weights_and_the_checkpoint_stays_the_plain_detectors(
    family, scenes, teacher, tmp_path
):
    base = run(f'{family}_baseline', tmp_path / 'base', scenes)
    ours = run(f'{family}_student', tmp_path / 'ours', scenes, *student_options(family, teacher))
    assert not same(ours, base)
    cfg = Config.fromfile(CONFIGS / f'{family}_baseline.py')
    init_default_scope('mmdet')
    MODELS.build(cfg.model).load_state_dict(ours['state_dict'], strict=True)


def test_resumed_from_the_middle_it_is_the_uninterrupted_run(family, scenes, teacher, tmp_path):
    options = student_options(family, teacher)
    whole = run(f'{family}_student', tmp_path / 'run', scenes, *options)
    story = json.loads((tmp_path / 'run' / 'weak_to_strong.json').read_text())
    curve = json.loads((tmp_path / 'run' / 'time_to_target.json').read_text())
    # As if killed after the checkpoint of iteration 4, before its validation.
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'iter_4.pth'))
    (tmp_path / 'run' / 'iter_6.pth').unlink()
    again = run(f'{family}_student', tmp_path / 'run', scenes, *options, resume=True)
    assert same(again, whole)
    assert json.loads((tmp_path / 'run' / 'weak_to_strong.json').read_text()) == story
    values = [
        (point['iter'], point['value'])
        for point in json.loads((tmp_path / 'run' / 'time_to_target.json').read_text())['history']
    ]
    assert values == [(point['iter'], point['value']) for point in curve['history']]


def test_another_configuration_is_not_resumed_and_nothing_is_lost(
    family, scenes, teacher, tmp_path
):
    run(f'{family}_baseline', tmp_path / 'run', scenes)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'run').rglob('*')}
    argv = arguments(
        f'{family}_student', tmp_path / 'run', scenes, *student_options(family, teacher)
    )
    with pytest.raises(W2SError, match='a run of another config'):
        train([*argv, '--resume'])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'run').rglob('*')} == before


@pytest.mark.parametrize('name', FAMILIES)
def test_every_family_trains_with_its_teacher(name, scenes, tmp_path):
    short = (
        'train_cfg.max_iters=2',
        'train_dataloader.batch_size=2',
        'auto_scale_lr.base_batch_size=2',
    )
    train(arguments(f'{name}_teacher', tmp_path / 'teacher', scenes, *short))
    options = student_options(name, tmp_path / 'teacher/iter_2.pth', *short)
    threshold = 'model.distill_head.score_thr=1e-6'
    train(arguments(f'{name}_student', tmp_path / 'run', scenes, *options, threshold))
    scalars = MessageHub.get_current_instance().log_scalars
    prefix = 'train/loss_distill_'
    terms = {key: kept.current() for key, kept in scalars.items() if key.startswith(prefix)}
    assert len(terms) == (6 if name == 'cascade_rcnn' else 2)
    assert all(0 < value < float('inf') for value in terms.values()), terms
    saved = torch.load(tmp_path / 'run/iter_2.pth', weights_only=False)['state_dict']
    cfg = Config.fromfile(CONFIGS / f'{name}_baseline.py')
    init_default_scope('mmdet')
    MODELS.build(cfg.model).load_state_dict(saved, strict=True)


@pytest.mark.parametrize(
    ('option', 'match'),
    [
        ('model.teacher.checkpoint=not/there.pth', 'Train the teacher first'),
        ('model.teacher.config=not/there.py', r'model\.teacher\.config not found'),
        ('default_hooks.time_to_target.thresholds=[20]', 'Write 20 % as 0.2'),
        ('default_hooks.weak_to_strong.schedule.hold=2.0', 'longer than the run'),
        ('train_dataloader.dataset.data_root=not/there/', 'w2s digit-scenes'),
    ],
)
def test_bad_input_is_refused_before_training(family, scenes, teacher, tmp_path, option, match):
    argv = arguments(
        f'{family}_student', tmp_path / 'run', scenes, *student_options(family, teacher)
    )
    with pytest.raises(W2SError, match=match):
        train([*argv, option])
    assert not list((tmp_path / 'run').glob('iter_*.pth'))
