"""MMEngine's pure-Python configs, where `type` is a class: trained, resumed, compared, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from w2s_mm.commands import compare as command
from w2s_mm.commands.cli import read_checked
from w2s_mm.commands.compare import compare
from w2s_mm.commands.preflight import check_data, hook_config
from w2s_mm.commands.resume import check_resume
from w2s_mm.commands.train import train
from w2s_mm.utils.errors import W2SError

BASELINE = """
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop, ValLoop
from mmpretrain.datasets import PackInputs
from mmpretrain.evaluation import Accuracy
from mmpretrain.models import (
    ClsDataPreprocessor,
    CrossEntropyLoss,
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    ResNet_CIFAR,
)
from torch.optim import SGD

from w2s_mm.datasets.digits import NoisyDigits
from w2s_mm.hooks import ExactResumeHook, TimeToTargetHook

model = dict(
    type=ImageClassifier,
    data_preprocessor=dict(
        type=ClsDataPreprocessor, num_classes=10, mean=[150.0] * 3, std=[80.0] * 3
    ),
    backbone=dict(type=ResNet_CIFAR, depth=18, stem_channels=4, base_channels=4),
    neck=dict(type=GlobalAveragePooling),
    head=dict(
        type=LinearClsHead, num_classes=10, in_channels=32, loss=dict(type=CrossEntropyLoss)
    ),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(type=NoisyDigits, split='train', pipeline=[dict(type=PackInputs)]),
)
val_dataloader = dict(
    batch_size=400,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=NoisyDigits, split='val', test_mode=True, pipeline=[dict(type=PackInputs)]),
)
val_evaluator = dict(type=Accuracy, topk=(1,))
train_cfg = dict(type=IterBasedTrainLoop, max_iters=4, val_interval=2)
val_cfg = dict(type=ValLoop)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.1))
default_hooks = dict(
    checkpoint=dict(type=CheckpointHook, by_epoch=False, interval=2),
    exact_resume=dict(type=ExactResumeHook),
)
custom_hooks = [dict(type=TimeToTargetHook, metric='accuracy/top1', thresholds=[1])]
"""
STUDENT = """
from mmengine.config import read_base

from w2s_mm.classification import LogitDistillHead, W2SImageClassifier
from w2s_mm.core.schedule import WarmupHoldDecay
from w2s_mm.core.stop import SurpassGate
from w2s_mm.hooks import WeakToStrongHook
from w2s_mm.losses import KLDistillLoss

with read_base():
    from .baseline import *

model.update(
    type=W2SImageClassifier,
    teacher=dict(config='baseline.py', checkpoint='teacher.pth'),
    distill_head=dict(type=LogitDistillHead, loss=dict(type=KLDistillLoss)),
)
custom_hooks.append(
    dict(
        type=WeakToStrongHook,
        metric='accuracy/top1',
        schedule=dict(type=WarmupHoldDecay, unit='iter', lambda_max=1.0, warmup=0, hold=4, decay=0),
        stop=dict(type=SurpassGate, k=2),
    )
)
"""


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """baseline.py and student.py in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path('baseline.py').write_text(BASELINE)
    Path('student.py').write_text(STUDENT)


@pytest.fixture
def stopped(configs):
    """A stopped run of the student: its config, read again, and its checkpoint."""
    Path('run').mkdir()
    text = read_checked('student.py').pretty_text
    state = {'state_dict': {'w': torch.ones(1)}, 'optimizer': {}}
    torch.save({'meta': {'cfg': text}, **state}, 'run/iter_2.pth')
    Path('run/last_checkpoint').write_text('run/iter_2.pth')
    cfg = read_checked('student.py')
    cfg.work_dir = 'run'
    return cfg


def test_hooks_are_found_by_class(configs):
    cfg = read_checked('student.py')
    assert hook_config(cfg, 'TimeToTargetHook')['thresholds'] == [1]
    assert hook_config(cfg, 'WeakToStrongHook')['metric'] == 'accuracy/top1'
    assert hook_config(cfg, 'GradientNormHook') is None
    command.check_measurements([cfg, read_checked('baseline.py')], ['student.py', 'baseline.py'])


def test_data_are_checked(configs):
    cfg = read_checked('baseline.py')
    check_data(cfg, ('train', 'val'))
    cfg.merge_from_dict({'train_dataloader.dataset.data_root': 'nowhere'})
    with pytest.raises(W2SError, match='nowhere does not exist'):
        check_data(cfg, ('train', 'val'))


def test_the_same_config_resumes(stopped):
    check_resume(stopped)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('lr=0.1', 'lr=0.2', r'optim_wrapper\.optimizer\.lr: 0\.1 there, 0\.2 now'),
        (
            'from torch.optim import SGD',
            'from torch.optim import Adam as SGD',
            r"optimizer\.type: 'torch\.optim\.SGD' there, 'torch\.optim\.Adam' now",
        ),
    ],
)
def test_a_changed_config_is_not_resumed(stopped, old, new, message):
    Path('baseline.py').write_text(BASELINE.replace(old, new))
    cfg = read_checked('student.py')
    cfg.work_dir = 'run'
    with pytest.raises(W2SError, match=message):
        check_resume(cfg)


def test_a_changed_config_does_not_count_finished_runs(configs):
    kept = Path('out/student/seed0/student.py')
    kept.parent.mkdir(parents=True)
    cfg = read_checked('student.py')
    cfg.randomness = {'seed': 0}
    cfg.dump(kept)
    command.check_unchanged(read_checked('student.py'), 0, kept)
    Path('student.py').write_text(STUDENT.replace('k=2', 'k=3'))
    with pytest.raises(W2SError, match=r'WeakToStrongHook\.stop\.k: 2 there, 3 now'):
        command.check_unchanged(read_checked('student.py'), 0, kept)


@pytest.mark.slow
def test_a_pair_is_trained_resumed_and_compared(configs, monkeypatch):
    def run_all(plan, launch, check):
        """In this process, which has imported the stack already."""
        for run in plan:
            if not run.finished:
                train(run.command()[4:])
            check([run])

    monkeypatch.setattr(command, 'run_all', run_all)
    train(['baseline.py', '--work-dir', 'teacher', '--seed', '1'])
    Path('teacher/iter_4.pth').rename('teacher.pth')
    train(['student.py', '--work-dir', 'run', '--seed', '0'])
    whole = torch.load('run/iter_4.pth', weights_only=False)['state_dict']
    Path('run/last_checkpoint').write_text('run/iter_2.pth')
    Path('run/iter_4.pth').unlink()
    train(['student.py', '--work-dir', 'run', '--seed', '0', '--resume'])
    again = torch.load('run/iter_4.pth', weights_only=False)['state_dict']
    assert all(torch.equal(again[key], value) for key, value in whole.items())

    arguments = ['student.py', '--baseline', 'baseline.py', '--seeds', '0', '--work-dir', 'out']
    arguments.append('--rate-not-checked')
    compare(arguments)
    content = json.loads(Path('out/report.json').read_text())
    baseline, student = (run['record'] for run in content['runs'])
    assert baseline['initial_weights'] == student['initial_weights']
    assert student['teacher']['checkpoint'] == 'teacher.pth'
    kept = Config.fromfile('out/student/seed0/student.py')
    assert kept.model.type == 'w2s_mm.classification.W2SImageClassifier'
    before = Path('out/student/seed0/run.json').stat().st_mtime_ns
    compare(arguments)  # finished runs are not repeated
    assert Path('out/student/seed0/run.json').stat().st_mtime_ns == before
