"""Contract 5 of the design: every config builds, says how to run it, and names its row."""

import ast
import re
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, DefaultScope

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)
OWN_DATA = {'digits'}  # folders whose data set is not the paper's
IN_MEMORY = {'NoisyDigits', 'DigitScans'}  # data sets that cannot be missing
FIELDS = ('Command:', 'Needs:', 'Takes:', 'Gives:')


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)  # configs name one another from there


def docstring(path):
    return ast.get_docstring(ast.parse((ROOT / path).read_text())) or ''


def test_there_are_configs():
    assert Path('configs/retinanet_r34_to_r50.py') in CONFIGS


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_parses_and_builds(path):
    cfg = Config.fromfile(str(path))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model = MODELS.build(cfg.model)
        for hook in filter(None, (*cfg.default_hooks.values(), *cfg.get('custom_hooks', ()))):
            if getattr(HOOKS.get(hook['type']), '__module__', '').startswith('w2s_mm.'):
                HOOKS.build(hook)
        build_optim_wrapper(model, cfg.optim_wrapper)
    if 'teacher' in cfg.model:
        teacher = Config.fromfile(cfg.model.teacher.config.replace('w2s_mm::', f'{ROOT}/configs/'))
        with DefaultScope.overwrite_default_scope(teacher.get('default_scope')):
            for head in model.distill_heads:
                head.check(model, MODELS.build(teacher.model))


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_distillation_can_be_switched_off_and_written_out(path, tmp_path):
    """``--cfg-options model.gamma=0`` and the copy of the config in the work directory."""
    cfg = Config.fromfile(str(path))
    if 'teacher' in cfg.model:
        cfg.merge_from_dict({'model.gamma': 0})
    cfg.dump(tmp_path / 'copy.py')
    assert Config.fromfile(tmp_path / 'copy.py').model == cfg.model


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_docstring_says_what_to_type_and_what_comes_out(path):
    """A title, then the command, what it needs, how long it takes, what it gives: in this order."""
    title, *rest = docstring(path).splitlines()
    assert title.endswith('.')
    fields = [word for line in rest for word in FIELDS if line.startswith(word)]
    assert tuple(fields) == FIELDS
    first = next(line for line in rest if line.strip())
    assert first.startswith('Command:') and str(path) in docstring(path)


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_paper_config_names_its_row(path):
    if OWN_DATA & set(path.parts):
        return
    text = docstring(path)
    assert re.search(r'\b(Table|Figure|Section) \d', text)
    assert '2604.15451' in text or 'the paper' in text


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_missing_data_is_explained(path):
    cfg = Config.fromfile(str(path))
    if cfg.train_dataloader.dataset.type not in IN_MEMORY:
        assert 'python tools/' in cfg.missing_data


def test_the_five_lines_of_the_readme_make_a_stock_config_a_student(tmp_path):
    lines = (ROOT / 'README.md').read_text().split('```python\n')[1].split('```')[0]
    lines = lines.replace('my_retinanet_config.py', 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    lines = lines.replace('w2s_mm::', f'{ROOT}/configs/')
    path = tmp_path / 'mine.py'
    path.write_text(lines)
    cfg = Config.fromfile(path)
    stock = get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    assert cfg.model.type == 'W2SRetinaNet'
    assert cfg.default_hooks.checkpoint.interval == stock.default_hooks.checkpoint.interval
    assert cfg.default_hooks.weak_to_strong.schedule.lambda_max == 2.0
    with DefaultScope.overwrite_default_scope('mmdet'):
        student = MODELS.build(cfg.model)
        plain = MODELS.build(stock.model)
    assert student.state_dict().keys() == plain.state_dict().keys()
