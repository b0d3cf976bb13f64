import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from tests.hooks.toy import make_config, make_teacher, same
from w2s_mm.commands import train
from w2s_mm.commands.train import check_distills, configure, main
from w2s_mm.commands.train import train as train_command
from w2s_mm.utils.errors import W2SError

CONFIG = """
data = dict(
    batch_size=2,
    dataset=dict(
        type='CocoDataset', data_root='{root}/', ann_file='a.json', data_prefix=dict(img='images')
    ),
)
train_dataloader = data
model = dict(type='RetinaNet')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
missing_data = 'Type this: make data'
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    (tmp_path / 'images').mkdir()
    (tmp_path / 'a.json').write_text('{}')
    path = tmp_path / 'some_config.py'
    path.write_text(CONFIG.format(root=tmp_path))
    return path


def test_plain_call(config, tmp_path):
    cfg = configure([str(config)])
    assert cfg.work_dir == 'work_dirs/some_config'
    assert cfg.launcher == 'none'
    assert not cfg.get('resume') and cfg.optim_wrapper.type == 'OptimWrapper'
    assert not (tmp_path / 'work_dirs').exists()


def test_options(config):
    cfg = configure(
        f'{config} --work-dir elsewhere --seed 3 --launcher slurm --cfg-options model.gamma=0 '
        'optim_wrapper.optimizer.lr=0.5 model.x=[1,2]'.split()
    )
    assert cfg.work_dir == 'elsewhere'
    assert cfg.randomness.seed == 3
    assert cfg.launcher == 'slurm'
    assert cfg.model == {'type': 'RetinaNet', 'gamma': 0, 'x': [1, 2]}
    assert cfg.optim_wrapper.optimizer.lr == 0.5


def test_seed_keeps_the_other_settings_of_randomness(config):
    cfg = configure([str(config), '--seed', '0', '--cfg-options', 'randomness.deterministic=True'])
    assert cfg.randomness == {'deterministic': True, 'seed': 0}


def test_work_dir_of_the_config_is_kept(config):
    config.write_text(config.read_text() + "work_dir = 'from_config'\n")
    assert configure([str(config)]).work_dir == 'from_config'
    assert configure([str(config), '--work-dir', 'other']).work_dir == 'other'


def on(device, monkeypatch):
    monkeypatch.setattr('mmengine.device.get_device', lambda: device)
    monkeypatch.setattr(train, 'get_device', lambda: device, raising=False)


@pytest.mark.parametrize('device', ['cpu', 'cuda'])
def test_processes_without_an_accelerator_are_joined_by_gloo(config, device, monkeypatch):
    joined = []
    on(device, monkeypatch)
    monkeypatch.setattr('torch.distributed.init_process_group', joined.append)
    cfg = configure([str(config), '--launcher', 'pytorch'])
    assert cfg.launcher == 'pytorch'
    assert joined == (['gloo'] if device == 'cpu' else [])
    assert ('model_wrapper_cfg' in cfg) == (device == 'cpu')


def test_model_wrapper_of_the_config_is_kept(config, monkeypatch):
    on('cpu', monkeypatch)
    monkeypatch.setattr('torch.distributed.init_process_group', lambda _: None)
    options = ['--cfg-options', 'model_wrapper_cfg.type=Own']
    cfg = configure([str(config), '--launcher', 'pytorch', *options])
    assert cfg.model_wrapper_cfg == {'type': 'Own'}


def test_amp_without_an_accelerator_is_refused(config, monkeypatch):
    on('cpu', monkeypatch)
    with pytest.raises(W2SError, match='--amp needs an accelerator'):
        configure([str(config), '--amp'])


def test_amp(config, monkeypatch):
    on('cuda', monkeypatch)
    cfg = configure([str(config), '--amp'])
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'
    kept = configure([str(config), '--amp', '--cfg-options', 'optim_wrapper.loss_scale=512.'])
    assert kept.optim_wrapper.loss_scale == 512


def test_auto_scale_lr(config):
    with pytest.raises(W2SError, match=r'auto_scale_lr=dict\(base_batch_size'):
        configure([str(config), '--auto-scale-lr'])
    options = ['--cfg-options', 'auto_scale_lr.base_batch_size=16']
    assert configure([str(config), '--auto-scale-lr', *options]).auto_scale_lr.enable


def test_another_total_batch_stops_with_both_numbers_and_what_to_type(config, tmp_path):
    options = ['--cfg-options', 'auto_scale_lr.base_batch_size=16']
    with pytest.raises(W2SError) as stopped:
        configure([str(config), *options])
    message = str(stopped.value)
    assert 'The total batch of this run is 2 (batch size 2 x 1 process)' in message
    assert f'the learning rate 0.1 of {config} is for 16' in message
    assert re.search(r'batch 2, learning rate 0.0125 +--auto-scale-lr\n', message)
    assert f'  torchrun --nproc-per-node 8 -m w2s_mm train {config} --launcher pytorch\n' in message
    assert not (tmp_path / 'work_dirs').exists()
    typed = re.findall(r'--cfg-options (\S+=\d+)$', message, re.MULTILINE)
    assert typed == ['train_dataloader.batch_size=16', 'auto_scale_lr.base_batch_size=2']
    for each in typed:
        configure([str(config), *options, each])


@pytest.mark.parametrize(
    ('launcher', 'variable'),
    [('pytorch', 'WORLD_SIZE'), ('slurm', 'SLURM_NTASKS'), ('mpi', 'OMPI_COMM_WORLD_SIZE')],
)
def test_processes_and_accumulation_count(config, monkeypatch, launcher, variable):
    on('cuda', monkeypatch)
    command = [str(config), '--launcher', launcher, '--cfg-options']
    command += ['auto_scale_lr.base_batch_size=16']
    monkeypatch.setenv(variable, '8')
    configure(command)
    monkeypatch.setenv(variable, '4')
    configure([*command, 'optim_wrapper.accumulative_counts=2'])
    with pytest.raises(W2SError, match=r'is 8 \(batch size 2 x 4 processes\), and .* is for 16'):
        configure(command)
    with pytest.raises(W2SError, match=r'is 24 \(batch size 2 x 4 processes x 3 accumulated\)'):
        configure([*command, 'optim_wrapper.accumulative_counts=3'])


@pytest.mark.parametrize('value', ['0', '2.5', 'many', 'True'])
def test_a_base_batch_size_that_is_no_number_of_images(config, value):
    with pytest.raises(W2SError, match=r'base_batch_size is .*; expected an integer'):
        configure([str(config), '--cfg-options', f'auto_scale_lr.base_batch_size={value}'])


def toy_arguments(folder, *arguments, batch=3, base=6):
    """Arguments of ``w2s train`` for a plain toy run whose learning rate is for ``base`` images."""
    made = make_config(folder / 'run', None, epochs=2, auto_scale_lr=dict(base_batch_size=base))
    made.train_dataloader.batch_size = batch
    made.custom_imports = dict(imports=['tests.hooks.toy'], allow_failed_imports=False)
    made.dump(folder / 'toy.py')
    return [str(folder / 'toy.py'), *arguments]


def first_rate(folder):
    """Factor of the config's learning rate of 0.05, and what the run recorded of its batch."""
    saved = torch.load(folder / 'run/epoch_1.pth', weights_only=False)
    factor = saved['optimizer']['param_groups'][0]['initial_lr'] / 0.05
    return factor, json.loads((folder / 'run/run.json').read_text())['batch']


@pytest.mark.parametrize(
    ('accumulation', 'factor'), [(1, 0.5), (2, 1.0), (4, 2.0)], ids=lambda each: f'{each:g}'
)
def test_the_rate_is_scaled_to_the_total_batch(tmp_path, accumulation, factor):
    options = ['--cfg-options', f'optim_wrapper.accumulative_counts={accumulation}']
    train_command(toy_arguments(tmp_path, '--auto-scale-lr', *options))
    rate, batch = first_rate(tmp_path)
    assert rate == pytest.approx(factor)
    assert batch == {
        'total': 3 * accumulation,
        'per_process': 3,
        'processes': 1,
        'accumulation': accumulation,
        'base': 6,
        'lr_factor': pytest.approx(factor),
    }


def test_a_resumed_run_keeps_its_rate(tmp_path):
    train_command(toy_arguments(tmp_path, '--auto-scale-lr'))
    whole = torch.load(tmp_path / 'run/epoch_2.pth', weights_only=False)
    again = ['--resume', str(tmp_path / 'run/epoch_1.pth')]
    train_command(toy_arguments(tmp_path, '--auto-scale-lr', *again))
    resumed = torch.load(tmp_path / 'run/epoch_2.pth', weights_only=False)
    assert resumed['optimizer']['param_groups'] == whole['optimizer']['param_groups']
    assert same(resumed['state_dict'], whole['state_dict'])
    with pytest.raises(W2SError, match='The total batch of this run is 3'):
        configure(toy_arguments(tmp_path, *again))
    with pytest.raises(W2SError, match=r'times that of the config: 0\.5 there, 1\.0 now'):
        configure(toy_arguments(tmp_path, *again, base=3))


def test_a_run_is_resumed_with_its_total_batch(tmp_path, monkeypatch):
    """MMEngine takes the learning rate from the checkpoint, whatever the number of processes."""
    train_command(toy_arguments(tmp_path, base=3))
    again = ['--resume', str(tmp_path / 'run/epoch_1.pth'), '--auto-scale-lr']
    configure(toy_arguments(tmp_path, *again, base=3))
    on('cuda', monkeypatch)
    monkeypatch.setenv('WORLD_SIZE', '4')
    with pytest.raises(W2SError, match=r'total batch: 3 there, 12 now'):
        configure(toy_arguments(tmp_path, *again, '--launcher', 'pytorch', base=3))


def test_resume(config, tmp_path):
    (tmp_path / 'run').mkdir()
    cfg = configure([str(config), '--work-dir', 'run', '--resume'])
    assert not cfg.resume and cfg.load_from is None  # no checkpoint yet: it starts
    with pytest.raises(W2SError, match='Nothing to resume'):
        configure([str(config), '--work-dir', 'no_run', '--resume'])
    with pytest.raises(W2SError, match=r'nothing\.pth'):
        configure([str(config), '--work-dir', 'run', '--resume', 'nothing.pth'])
    assert not list((tmp_path / 'run').iterdir())


def test_config_that_is_not_there(config):
    with pytest.raises(W2SError, match=r'Config not found: nothing\.py'):
        configure(['nothing.py'])


def test_data_that_is_not_there(config, tmp_path):
    (tmp_path / 'a.json').unlink()
    with pytest.raises(W2SError, match=r'a\.json does not exist\. Type this: make data'):
        configure([str(config)])
    assert not (tmp_path / 'work_dirs').exists()


def test_command_shows_the_message_without_a_traceback(config, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['train.py', 'nothing.py'])
    with pytest.raises(SystemExit) as stopped:
        main()
    shown = capsys.readouterr().err
    assert stopped.value.code == 2
    assert shown.startswith('\nerror: Config not found: nothing.py')
    assert 'Traceback' not in shown


def test_without_the_stack_one_clear_message_and_no_traceback():
    root = Path(__file__).parents[2]
    code = (
        'import sys; '
        "hidden = ('torch', 'mmengine', 'mmcv'); "
        'import importlib.util as u; find = u.find_spec; '
        'u.find_spec = lambda name, *a: None if name in hidden else find(name, *a); '
        'sys.modules.update(dict.fromkeys(hidden)); '
        'from w2s_mm.commands.train import main; main()'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=root, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 2
    assert 'Traceback' not in done.stderr
    assert all(f'{name}: not found' in done.stderr for name in ('torch', 'mmengine', 'mmcv'))


def test_a_student_without_the_hook_is_refused(tmp_path):
    teacher = make_teacher(tmp_path)
    config = make_config(tmp_path / 'run', teacher)
    check_distills(Runner.from_cfg(config))
    config.default_hooks.pop('weak_to_strong')
    with pytest.raises(W2SError, match=r'W2SToyNet, and the run has no WeakToStrongHook'):
        check_distills(Runner.from_cfg(config))
    config.model.gamma = 0.0
    check_distills(Runner.from_cfg(config))
    check_distills(Runner.from_cfg(make_config(tmp_path / 'plain', None)))


def test_a_student_in_shards_is_refused_before_anything_is_built(config):
    config.write_text(
        config.read_text()
        + "default_hooks = dict(w2s=dict(type='WeakToStrongHook', metric='m', schedule={}))\n"
        + "strategy = dict(type='FSDPStrategy')\n"
    )
    with pytest.raises(W2SError, match='FSDPStrategy'):
        configure([str(config)])
    configure([str(config), '--cfg-options', 'model.gamma=0'])


def test_a_start_in_shards_is_refused_before_anything_is_built(config):
    config.write_text(
        config.read_text()
        + "default_hooks = dict(start=dict(type='StartHook', how='grow'))\n"
        + "strategy = dict(type='FSDPStrategy')\n"
    )
    with pytest.raises(W2SError, match=r'FSDPStrategy.*start=None'):
        configure([str(config)])
