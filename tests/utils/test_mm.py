"""Names of configs, and what a config is to a reader."""

from pathlib import Path

import pytest
from mmengine.registry import MODELS, DefaultScope

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import (
    CONFIGS,
    config_name,
    config_path,
    plain_types,
    read_config_file,
    type_name,
)

STUDENT = 'w2s_mm::digits/retinanet_student.py'
MINE = """
_base_ = ['mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'w2s_mm::_base_/w2s_detection.py']
model = dict(
    type='W2SRetinaNet',
    teacher=dict(config='w2s_mm::baselines/retinanet_r34_coco5k.py', checkpoint='x.pth'),
    distill_head=_base_.w2s.distill_head,
)
default_hooks = _base_.w2s.hooks
"""


def test_a_config_of_the_package_is_found_by_name():
    path = config_path(STUDENT)
    assert Path(path) == CONFIGS / 'digits' / 'retinanet_student.py' and Path(path).is_file()
    assert config_path('mmdet::_base_/default_runtime.py').endswith('default_runtime.py')


def test_a_path_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('mine.py').touch()
    assert config_path('mine.py') == 'mine.py'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('nothing.py', r'looked for .*/nothing\.py'),
        ('w2s_mm::nothing.py', r'looked for .*/\.mim/configs/nothing\.py'),
        ('mmdet::no/thing.py', r'no/thing\.py.*does not exist'),
        ('nobody::no/thing.py', 'nobody'),
        ('mmdet::nothing.py', 'Expected a path, or'),
    ],
)
def test_a_config_that_does_not_exist_is_named(name, message):
    with pytest.raises(W2SError, match=f'^model.teacher.config not found: {name} .*{message}'):
        config_path(name, 'model.teacher.config')


def test_a_copy_without_configs_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr('w2s_mm.utils.mm.CONFIGS', tmp_path / 'none')
    with pytest.raises(W2SError, match='none does not exist; install w2s_mm with pip'):
        config_path(STUDENT)


def test_names_for_a_reader(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_name(config_path(STUDENT)) == STUDENT
    assert config_name('configs/mine.py') == 'configs/mine.py'
    assert config_name('/somewhere/else/mine.py') == 'mine.py'


def test_bases_of_other_packages_build_without_a_scope_that_nobody_has(tmp_path, caplog, capfd):
    path = tmp_path / 'mine.py'
    path.write_text(MINE)
    cfg = read_config_file(str(path))
    assert 'w2s' not in cfg
    assert "'_scope_': 'w2s_mm'" not in repr(cfg)
    cfg.model.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmdet'):
        student = MODELS.build(cfg.model)
    assert type(student).__name__ == 'W2SRetinaNet'
    assert 'Failed to search registry' not in caplog.text + ''.join(capfd.readouterr())


@pytest.mark.parametrize(
    ('kind', 'name'),
    [('mmdet.L1Loss', 'L1Loss'), ('L1Loss', 'L1Loss'), (Path, 'Path'), (None, None)],
)
def test_a_type_has_one_name(kind, name):
    assert type_name(kind) == name


def test_classes_and_functions_become_names():
    given = {'a': [{'type': Path}], 'b': (config_path, 1)}
    plain = plain_types(given)
    assert plain['a'][0]['type'].startswith('pathlib') and plain['a'][0]['type'].endswith('.Path')
    assert plain['b'] == ('w2s_mm.utils.mm.config_path', 1)
    assert given['a'][0]['type'] is Path
