"""Contract 5 of the design: every config builds, says how to run it, and names its row."""

import ast
import functools
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, DefaultScope

from w2s_mm.hooks.start import blend
from w2s_mm.start import grow, inherit, largest_difference, select
from w2s_mm.start.parts import check_geometry
from w2s_mm.utils.batch import total_batch
from w2s_mm.utils.mm import read_config_file

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / 'configs'
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob('*.py'))
CONFIGS = [name for name in FILES if not name.startswith('_base_/')]
FIELDS = ('Row', 'Command', 'Needs', 'Takes', 'Gives')
CONSOLE = (
    'digits/',
    'small/',
    'ablations/digits_',
    'mismatch/digits_',
    'signals/digits_',
)  # their commands are `w2s ...`
IN_MEMORY = {'NoisyDigits', 'DigitScans'}  # data sets that cannot be missing
# What the Runner takes, and what the stock configs of MMDetection and MMPretrain define.
RUNNER = {
    *('auto_scale_lr', 'custom_hooks', 'custom_imports', 'data_preprocessor', 'default_hooks'),
    *('default_scope', 'env_cfg', 'load_from', 'log_level', 'log_processor', 'model'),
    *('optim_wrapper', 'param_scheduler', 'randomness', 'resume', 'vis_backends', 'visualizer'),
    *(f'{split}_{what}' for split in ('train', 'val', 'test') for what in ('cfg', 'dataloader')),
    *('val_evaluator', 'test_evaluator'),
}
STOCK = {
    *('backend_args', 'bgr_mean', 'bgr_std', 'data_root', 'dataset_type', 'img_scales'),
    *('test_pipeline', 'train_pipeline', 'tta_model', 'tta_pipeline'),
}
OURS = {'missing_data'}  # read by commands/preflight.py


@functools.cache
def _read(name):
    return Config.fromfile(FOLDER / name)


def read(name):
    """A copy of a resolved config, by its path below configs/ or as ``w2s_mm::...``."""
    return _read(name.removeprefix('w2s_mm::')).copy()


def docstring(name):
    return ast.get_docstring(ast.parse((FOLDER / name).read_text())) or ''


def fields(name):
    """The text behind each label of a docstring, in the order of the file."""
    found = {}
    for line in docstring(name).splitlines()[1:]:
        label, _, rest = line.partition(':')
        if label in FIELDS:
            found[label] = rest.strip()
            last = label
        elif line.strip():
            found[last] += ' ' + line.strip()
    return found


def strings(config):
    """Every string in a config."""
    if isinstance(config, str):
        yield config
    elif isinstance(config, dict):
        for value in config.values():
            yield from strings(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from strings(value)


def is_student(name):
    """Whether a config, or one that it inherits from, has a teacher; without reading them all."""
    text = (FOLDER / name).read_text()
    base = re.search(r"^_base_ = '(\.[^']*)'$", text, re.MULTILINE)
    return 'teacher=dict(' in text or (
        base is not None and is_student((Path(name).parent / base[1]).as_posix())
    )


def has_start(name):
    return 'StartHook' in (FOLDER / name).read_text()


STUDENTS = [name for name in CONFIGS if is_student(name)]
COCO = [name for name in CONFIGS if 'coco5k' in (FOLDER / name).read_text()]


def test_there_are_configs():
    assert 'retinanet_r34_to_r50.py' in CONFIGS


@pytest.mark.parametrize('name', FILES)
def test_resolved_config_has_known_top_level_keys_only(name):
    offered = {'w2s'} if name.startswith('_base_/w2s_') else set()
    assert set(read(name)) <= RUNNER | STOCK | OURS | offered


def test_no_config_repeats_another():
    texts = {}
    for name in CONFIGS:
        texts.setdefault(repr(read(name).to_dict()), []).append(name)
    assert [names for names in texts.values() if len(names) > 1] == []


@pytest.mark.parametrize('name', CONFIGS)
def test_configs_that_it_refers_to_exist(name):
    named = [
        text for text in strings(read(name).to_dict()) if text.startswith(('w2s_mm::', 'configs/'))
    ]
    assert all(text.removeprefix('w2s_mm::') in CONFIGS for text in named)


@pytest.mark.parametrize('name', CONFIGS)
def test_docstring_has_row_command_needs_takes_gives(name):
    text = (FOLDER / name).read_text()
    title, blank, *_ = docstring(name).splitlines()
    assert title.endswith('.') and not blank
    assert tuple(fields(name)) == FIELDS
    too_long = [line for line in text.splitlines() if len(line) > 100 and 'https://' not in line]
    assert too_long == []


@pytest.mark.parametrize('name', CONFIGS)
def test_row_is_one_of_the_paper_or_none(name):
    row = fields(name)['Row']
    assert row.startswith('none in the paper') or re.search(r'\b(Table|Figure) \d', row)
    assert '2604.15451' in row or 'the paper' in row


@pytest.mark.parametrize('name', CONFIGS)
def test_command_trains_this_config(name):
    command = fields(name)['Command']
    if name.startswith(CONSOLE):
        assert command == f'w2s train w2s_mm::{name} --seed 0'
    else:
        assert re.match(rf'tools/dist_train\.sh configs/{re.escape(name)} [48]( |$)', command)


@pytest.mark.parametrize('name', COCO)
def test_schedules_that_the_paper_does_not_give_are_called_a_guess(name):
    text = ' '.join(fields(name)['Takes'].split())
    epochs = read(name).train_cfg.max_epochs
    schedule = {12: '1x', 24: '2x'}[epochs]
    assert f"The {epochs} epochs of MMDetection's {schedule} schedule" in text
    assert 'are our guess' in text


@pytest.mark.parametrize('name', STUDENTS)
def test_a_teachers_checkpoint_is_one_that_its_config_writes(name):
    teacher = read(name).model.teacher
    folder, unit, last = re.fullmatch(
        r'work_dirs/(\w+)/(epoch|iter)_(\d+)\.pth', teacher.checkpoint
    ).groups()
    path = teacher.config.removeprefix('w2s_mm::')
    assert folder == Path(path).stem
    of_teacher = read(path)
    saving, train = of_teacher.default_hooks.checkpoint, of_teacher.train_cfg
    length = train.max_epochs if unit == 'epoch' else train.max_iters
    assert saving.get('by_epoch', True) == (unit == 'epoch')
    assert int(last) == length or int(last) % saving.interval == 0
    assert int(last) <= length


@pytest.mark.parametrize('name', CONFIGS)
def test_the_command_trains_with_the_total_batch_of_the_learning_rate(name):
    processes = re.search(r'dist_train\.sh \S+ (\d)', fields(name)['Command'])
    batch = total_batch(read(name), int(processes[1]) if processes else 1)
    assert batch.base == batch.total and not batch.scaled
    told = re.search(r' of ([\d,]+) images', fields(name)['Takes'])
    assert int(told[1].replace(',', '')) == batch.base


@pytest.mark.parametrize('name', CONFIGS)
def test_missing_data_is_explained(name):
    cfg = read(name)
    if cfg.train_dataloader.dataset.type not in IN_MEMORY:
        assert re.search(r'\bw2s (train|digit-scenes|demo)\b', cfg.missing_data)


@pytest.mark.slow
@pytest.mark.parametrize('name', STUDENTS)
def test_distillation_can_be_switched_off_and_written_out(name, tmp_path):
    """``--cfg-options model.gamma=0`` and the copy of the config in the work directory."""
    cfg = read(name)
    cfg.merge_from_dict({'model.gamma': 0})
    cfg.dump(tmp_path / 'copy.py')
    assert Config.fromfile(tmp_path / 'copy.py').model == cfg.model


def run_length(cfg):
    """Length of the run in each unit that it is counted in."""
    lengths = {'training': 1.0}
    if 'max_iters' in cfg.train_cfg:
        lengths['iter'] = cfg.train_cfg.max_iters
    if 'max_epochs' in cfg.train_cfg:
        lengths['epoch'] = cfg.train_cfg.max_epochs
    return lengths


@pytest.mark.parametrize('name', CONFIGS)
def test_hooks_build_and_the_schedule_fits_the_run(name):
    cfg = read(name)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        hooks = {
            key: HOOKS.build(hook)
            for key, hook in cfg.default_hooks.items()
            if getattr(HOOKS.get(hook['type']), '__module__', '').startswith('w2s_mm.')
        }
    assert {'exact_resume', 'time_to_target'} <= set(hooks)
    assert ('weak_to_strong' in hooks) == ('teacher' in cfg.model)
    if 'weak_to_strong' in hooks:
        hook, lengths = hooks['weak_to_strong'], run_length(cfg)
        assert 0 < hook.schedule.length <= lengths[hook.schedule.unit] * (1 + 1e-9)
        if hook.temperature.length is not None:
            assert hook.temperature.length <= lengths[hook.temperature.unit]
        assert (hook.metric, hook.rule) == (
            hooks['time_to_target'].metric,
            hooks['time_to_target'].rule,
        )


@pytest.mark.parametrize('name', STUDENTS)
def test_distill_heads_build(name):
    cfg = read(name)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        MODELS.build(cfg.model.distill_head)


@pytest.mark.parametrize('name', [name for name in STUDENTS if not name.startswith('ablations/')])
def test_a_students_file_shows_its_own_settings(name):
    """What a reader looks for stands in the file, or in the student that it varies."""
    text = (FOLDER / name).read_text()
    base = re.search(r"^_base_ = '(.*)'$", text, re.MULTILINE)[1]
    if '_to_' in base or base.endswith('_student.py'):
        text = (FOLDER / name).parent.joinpath(base).read_text()
    settings = [
        'distill_head',
        'schedule',
        'lambda_max',
        'warmup',
        'hold',
        'decay',
        'stop',
        'metric',
    ]
    if 'DDPM' not in read(name).model.type:
        settings.append('temperature')
    assert [setting for setting in settings if f'{setting}=' not in text] == []


@pytest.mark.slow
@pytest.mark.parametrize('name', CONFIGS)
def test_model_and_optimizer_build_and_the_teacher_fits(name):
    cfg = read(name)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
        build_optim_wrapper(model, cfg.optim_wrapper)
    if 'teacher' in cfg.model:
        teacher = read(cfg.model.teacher.config)
        with DefaultScope.overwrite_default_scope(teacher.default_scope):
            built = MODELS.build(teacher.model)
        for head in model.distill_heads:
            head.check(model, built)


@pytest.mark.slow
@pytest.mark.parametrize('name', [name for name in CONFIGS if has_start(name)])
def test_starts_fit_and_the_paper_pair_that_can_is_lossless(name):
    cfg = read(name)
    start = cfg.default_hooks.start
    smaller = read(start.get('config') or cfg.model.teacher.config)
    student, source = (_built(each) for each in (cfg, smaller))
    selection = select(student, start.how, start.get('parts'))
    check_geometry(student, source, selection)
    if start.how == 'inherit':
        values, _ = inherit(student.state_dict(), source.state_dict(), selection)
    else:
        for parameter in source.parameters():  # without layers that begin at zero
            parameter.data.add_(torch.randn_like(parameter), alpha=0.02)
        values = grow(student, source, selection, (), 0.5)
    blend(student, values)
    shape = getattr(student, 'image_shape', (3, 64, 64))
    found = largest_difference(student, source, shape)
    assert found.scale > 0
    assert found.lossless == (name == 'ddpm_nc64rb2_to_nc128rb3_start.py'), found.describe()


def _built(cfg):
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


def test_the_five_lines_of_the_readme_make_a_stock_config_a_student(tmp_path):
    lines = (ROOT / 'README.md').read_text().split('```python\n')[1].split('```')[0]
    lines = lines.replace('my_retinanet_config.py', 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    lines = lines.replace('w2s_mm::', f'{FOLDER}/')
    path = tmp_path / 'mine.py'
    path.write_text(lines)
    cfg = read_config_file(str(path))
    stock = get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    assert set(cfg) == set(stock) | {'custom_imports'}
    assert cfg.model.type == 'W2SRetinaNet'
    assert cfg.default_hooks.checkpoint.interval == stock.default_hooks.checkpoint.interval
    assert cfg.default_hooks.weak_to_strong.schedule.lambda_max == 2.0
    with DefaultScope.overwrite_default_scope('mmdet'):
        student = MODELS.build(cfg.model)
        plain = MODELS.build(stock.model)
    assert student.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize('task', ['detection', 'classification', 'generation'])
def test_what_is_offered_to_other_configs_builds(task):
    offered = read(f'_base_/w2s_{task}.py').w2s
    for name in ('distill_head', 'roi_distill_head'):
        if name in offered:
            MODELS.build(offered[name])
    for hook in offered.hooks.values():
        HOOKS.build(hook)
    hooks = dict(offered.hooks)
    del hooks['weak_to_strong']
    assert hooks == offered.measure_hooks
