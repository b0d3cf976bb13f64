"""The wheel, installed into a folder of its own and used from an empty directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SOURCES = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'requirements', 'configs')
# A config as a user writes it: bases of two packages, and sizes for a test.
MINE = """
_base_ = ['mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'w2s_mm::_base_/w2s_detection.py']
missing_data = ''
model = dict(
    type='W2SRetinaNet',
    teacher=dict(config='w2s_mm::digits/retinanet_teacher.py', checkpoint='not/used.pth'),
    distill_head=_base_.w2s.distill_head,
    backbone=dict(depth=18, base_channels=4, stem_channels=4, init_cfg=None),
    neck=dict(in_channels=[4, 8, 16, 32], out_channels=8),
    bbox_head=dict(num_classes=10, in_channels=8, feat_channels=8, stacked_convs=1),
)
default_hooks = _base_.w2s.hooks
data = dict(
    data_root='data/digit_scenes/',
    metainfo=dict(classes=tuple('0123456789')),
)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(64, 64)),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        **data,
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        **data,
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        pipeline=pipeline,
    ),
)
val_evaluator = dict(ann_file='data/digit_scenes/annotations/val.json')
train_cfg = dict(max_epochs=1)
auto_scale_lr = dict(base_batch_size=2)
"""


@pytest.fixture(scope='module')
def sources(tmp_path_factory) -> Path:
    """A copy of the sources, so that nothing is written into the checkout."""
    copy = tmp_path_factory.mktemp('sources')
    for name in SOURCES:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    ignored = shutil.ignore_patterns('.mim', '__pycache__')
    shutil.copytree(ROOT / 'w2s_mm', copy / 'w2s_mm', ignore=ignored)
    return copy


@pytest.fixture(scope='module')
def wheel(sources, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('wheel')
    pip('wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', str(out), str(sources))
    (path,) = out.glob('*.whl')
    return path


@pytest.fixture(scope='module')
def w2s(wheel, tmp_path_factory):
    """``w2s(*arguments)``: the installed command, run in one directory that was empty."""
    installed, here = tmp_path_factory.mktemp('installed'), tmp_path_factory.mktemp('empty')
    pip('install', '--no-deps', '--no-index', '--target', str(installed), str(wheel))
    environment = {**os.environ, 'PYTHONPATH': str(installed), 'OMP_NUM_THREADS': '1'}
    found = run(
        [sys.executable, '-c', 'import w2s_mm; print(w2s_mm.__file__)'], here, environment
    ).stdout.strip()
    assert Path(found) == installed / 'w2s_mm' / '__init__.py'

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run([str(installed / 'bin' / 'w2s'), *arguments], here, environment)

    call.here = here
    return call


def pip(*arguments: str) -> None:
    run([sys.executable, '-m', 'pip', '--disable-pip-version-check', *arguments], Path.cwd())


def run(command, cwd, environment=None):
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, f'{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}'
    return done


def test_the_wheel_has_every_config_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (name for name in names if name.endswith('entry_points.txt'))
        assert 'w2s = w2s_mm.__main__:main' in archive.read(entry_points).decode()
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / 'configs').rglob('*.py')}
    prefix = 'w2s_mm/.mim/'
    assert {name.removeprefix(prefix) for name in names if name.startswith(prefix)} == ours
    assert not [name for name in names if name.startswith(('tests/', 'tools/', 'configs/'))]


def test_an_editable_install_links_to_the_configs(sources, tmp_path):
    code = 'from setuptools import build_meta; import sys; build_meta.build_editable(sys.argv[1])'
    for _ in range(2):  # the second time, the link is there
        run([sys.executable, '-c', code, str(tmp_path)], sources)
        link = sources / 'w2s_mm' / '.mim' / 'configs'
        assert link.is_symlink() and link.resolve() == (sources / 'configs').resolve()
    assert (sources / 'configs' / 'retinanet_r34_to_r50.py').is_file()


def test_a_pair_is_trained_compared_and_reported_by_names_of_the_package(w2s):
    short = ('--cfg-options', 'train_cfg.max_iters=4', 'train_cfg.val_interval=2')
    w2s('train', 'w2s_mm::digits/classifier_teacher.py', '--seed', '0', *short)
    hook = 'default_hooks.weak_to_strong'
    compared = w2s(
        *('compare', 'w2s_mm::digits/classifier_student.py'),
        *('--baseline', 'w2s_mm::digits/classifier_baseline.py', '--seeds', '0'),
        *('--rate-not-checked', '--work-dir', 'pair', '--jobs', '2'),
        *(*short, 'default_hooks.time_to_target.thresholds=[1]'),
        'model.teacher.checkpoint=work_dirs/classifier_teacher/iter_4.pth',
        *(f'{hook}.schedule.unit=iter', f'{hook}.schedule.warmup=0'),
        *(f'{hook}.schedule.hold=4', f'{hook}.schedule.decay=0'),
        f'{hook}.temperature.length=4',
    )
    assert 'Median speedup' in compared.stdout
    record = json.loads((w2s.here / 'pair/classifier_student/seed0/run.json').read_text())
    assert record['config'] == 'w2s_mm::digits/classifier_student.py'
    assert record['software']['commit'] is None  # it is not under git
    assert record['teacher']['checkpoint'] == 'work_dirs/classifier_teacher/iter_4.pth'
    w2s(
        *('report', 'pair/classifier_student/seed0'),
        *('--baseline', 'pair/classifier_baseline/seed0', '--out', 'report'),
    )
    assert (w2s.here / 'report' / 'report.html').is_file()


def test_a_users_config_inherits_from_two_packages(w2s):
    w2s('digit-scenes', '--num-train', '4', '--num-val', '2', '--size', '64')
    (w2s.here / 'mine.py').write_text(MINE)
    done = w2s('train', 'mine.py', '--cfg-options', 'model.gamma=0')
    assert 'Failed to search registry' not in done.stdout + done.stderr
    measured = json.loads((w2s.here / 'work_dirs/mine/time_to_target.json').read_text())
    assert measured['finished'] and measured['metric'] == 'coco/bbox_mAP_50'
    dumped = (w2s.here / 'work_dirs/mine/mine.py').read_text()
    assert 'w2s = ' not in dumped and "_scope_='w2s_mm'" not in dumped
