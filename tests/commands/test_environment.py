import sys

import pytest

from w2s_mm.commands.cli import read_checked
from w2s_mm.commands.environment import check_environment, check_operators
from w2s_mm.utils.errors import W2SError

WHOLE = {'torch': '2.11.0+cu130', 'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmdet': '3.3.0'}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Build a path of empty modules that state a version; nothing else is importable or known."""
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    monkeypatch.setattr(sys, 'meta_path', [f for f in sys.meta_path if 'Path' in repr(f)])
    for name in (*WHOLE, 'mmpretrain'):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def build(versions, operators=True):
        for name, version in versions.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / '__init__.py').write_text('raise AssertionError("was imported")')
            (tmp_path / name / 'version.py').write_text(f"__version__ = '{version}'\n")
        if operators and 'mmcv' in versions:
            (tmp_path / 'mmcv' / '_ext.so').touch()
        return tmp_path

    return build


def message_for(tasks=('detection',)):
    with pytest.raises(W2SError) as caught:
        check_environment(tasks)
    return str(caught.value)


def test_the_pinned_environment_passes():
    check_environment(('detection', 'classification'))


def test_upstream_modules_pass_and_are_not_imported(environment):
    environment(WHOLE)
    check_environment(('detection',))


def test_one_message_lists_every_problem(environment):
    environment({'torch': '1.13.1', 'mmengine': '0.10.7', 'mmcv': '3.1.0'})
    message = message_for()
    assert 'torch: 1.13.1 in' in message and 'too old; expected >=2.6,<3' in message
    assert 'mmcv: 3.1.0 in' in message and 'too new; expected >=2.0,<3' in message
    assert 'mmdet: not found; expected >=3.0,<4' in message
    assert '  mmengine:' not in message
    assert "pip install 'onedl-mmdetection>=3.0,<4'" in message
    assert '--no-build-isolation' in message


def test_the_first_of_the_next_major_is_too_new_and_the_least_version_passes(environment):
    environment({**WHOLE, 'torch': '2.6.0', 'mmengine': '1.0.0', 'mmdet': '3.0.0rc6'})
    message = message_for()
    assert 'mmengine: 1.0.0' in message
    assert '  torch:' not in message and '  mmdet:' not in message


def test_mmcv_without_operators_is_refused(environment):
    environment(WHOLE, operators=False)
    assert 'no compiled operators' in message_for()


def test_only_the_tasks_asked_for_are_looked_at(environment):
    environment(WHOLE)
    assert 'mmpretrain: not found' in message_for(('detection', 'classification'))
    check_environment(())


def test_a_module_without_version_file_is_judged_by_its_distribution(environment):
    path = environment({name: version for name, version in WHOLE.items() if name != 'mmdet'})
    (path / 'mmdet').mkdir()
    (path / 'mmdet' / '__init__.py').touch()
    (path / 'onedl_mmdetection-2.9.dist-info').mkdir()
    metadata = path / 'onedl_mmdetection-2.9.dist-info' / 'METADATA'
    metadata.write_text('Metadata-Version: 2.1\nName: onedl-mmdetection\nVersion: 2.9\n')
    assert 'mmdet: 2.9 in' in message_for()


def test_an_unknown_task_is_refused_with_the_known_ones():
    assert 'detection, classification' in message_for(('segmentation',))


@pytest.fixture
def operators(monkeypatch):
    """``operators(gpu, compiled)``: whether a GPU is visible, and what mmcv was compiled with."""
    import mmcv.ops
    import torch

    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')

    def make(gpu, compiled):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
        monkeypatch.setattr(torch.cuda, 'get_device_name', lambda: 'Some GPU')
        monkeypatch.setattr(torch.version, 'cuda', '13.0')
        monkeypatch.setattr(mmcv.ops, 'get_compiling_cuda_version', lambda: compiled)

    return make


@pytest.mark.parametrize(
    ('gpu', 'compiled'), [(True, '13.0'), (False, '13.0'), (False, 'not available')]
)
def test_operators_that_fit_the_machine_pass(operators, gpu, compiled):
    operators(gpu, compiled)
    check_operators()


def test_operators_for_the_cpu_beside_a_gpu_are_refused(operators, monkeypatch):
    """MMEngine would train on the GPU, and focal loss and NMS fail there."""
    operators(True, 'not available')
    with pytest.raises(W2SError) as refused:
        check_operators()
    message = str(refused.value)
    assert 'compiled for the CPU, and a GPU is visible (Some GPU)' in message
    assert "CUDA_VISIBLE_DEVICES=''" in message and 'the CUDA 13.0 toolkit' in message
    assert "pip install --no-build-isolation --no-cache-dir 'onedl-mmcv" in message
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    check_operators()


def test_a_detector_s_config_is_checked_and_a_classifier_s_is_not(operators):
    operators(True, 'not available')
    read_checked('w2s_mm::digits/classifier_baseline.py')
    with pytest.raises(W2SError, match='compiled for the CPU'):
        read_checked('w2s_mm::digits/retinanet_baseline.py')
