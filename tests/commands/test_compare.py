"""The command: what it refuses, what it leaves, and one real comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction

from w2s_mm.commands import compare as command
from w2s_mm.commands.budget import shorten
from w2s_mm.commands.compare import compare
from w2s_mm.utils.batch import total_batch
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json
from w2s_mm.utils.mm import plain_types

ROOT = Path(__file__).parents[2]
BASE = """
train_dataloader = dict(batch_size=4)
val_dataloader = dict(batch_size=4)
model = dict(type='Net', width=8)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(by_epoch=False, max_iters=80, val_interval=20)
default_hooks = dict(
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[50])
)
"""
OURS = """
_base_ = 'base.py'
model = dict(type='W2SNet', teacher=dict(config='weak.py', checkpoint='weak.pth'))
default_hooks = dict(weak_to_strong=dict(type='WeakToStrongHook', metric='accuracy/top1'))
"""
UNCHECKED = ['--rate-not-checked']
CURVES = {'base': [10, 20, 40, 55], 'ours': [10, 60, 60, 60], 'other': [10, 20, 51, 60]}


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """base.py, ours.py, other.py and the teacher in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path('base.py').write_text(BASE)
    for name in ('ours', 'other'):
        Path(f'{name}.py').write_text(OURS)
    Path('weak.pth').write_text('')
    return [
        'ours.py',
        '--baseline',
        'base.py',
        *UNCHECKED,
        '--seeds',
        '0',
        '1',
        '--work-dir',
        'out',
    ]


@pytest.fixture
def trained(monkeypatch):
    """Runs that take no time: the list of those asked for."""
    asked = []

    def run(plan, launch, check):
        for each in plan:
            if not each.finished:
                asked.append(each)
                leave(each)
            check([each])
        check(plan)

    monkeypatch.setattr(command, 'run_all', run)
    return asked


@pytest.fixture
def no_report(monkeypatch):
    """The report, whose figures take a second, is left out."""
    monkeypatch.setattr(command, 'write_report', lambda study, folder: folder / 'report.html')


def typed(options):
    """Parsed ``--cfg-options``."""
    pairs = (option.split('=', 1) for option in options)
    return {key: DictAction._parse_iterable(value) for key, value in pairs}


def leave(training):
    """What a run leaves behind."""
    name = Path(training.config).stem
    history = [
        {'epoch': i, 'iter': 20 * i, 'train_seconds': i, 'wall_seconds': i, 'value': value}
        for i, value in enumerate(CURVES[name], start=1)
    ]
    told = {'format': 1, 'metric': 'accuracy/top1', 'rule': 'greater', 'hits_in_a_row': 2}
    told |= {'seed': training.seed, 'config': name, 'max_iters': 80, 'finished': True}
    targets = [{'threshold': 50, 'first': None, 'sustained': None}]
    write_json(
        training.run_dir / 'time_to_target.json', {**told, 'history': history, 'targets': targets}
    )
    cfg = Config.fromfile(training.config)
    cfg.merge_from_dict(typed(training.options))
    shorten(cfg, training.budget)
    record = {'format': 2, 'config': training.config, 'seed': training.seed, 'parameters': 1}
    record['settings'] = plain_types(cfg)
    record['batch'] = total_batch(cfg, 1).record()
    record |= {'initial_weights': f'w{training.seed}', 'batches': ['b'], 'teacher': None}
    write_json(training.run_dir / 'run.json', {**record, 'software': {}, 'hardware': {}})
    cfg.randomness = {'seed': training.seed}
    cfg.dump(training.run_dir / training.config)


def test_every_config_is_trained_with_every_seed_and_reported(configs, trained, capsys):
    compare(['other.py', *configs])
    assert [(each.name, each.seed) for each in trained] == [
        (name, seed) for seed in (0, 1) for name in ('base', 'other', 'ours')
    ]
    content = json.loads(Path('out/report.json').read_text())
    assert [variant['name'] for variant in content['variants']] == ['other', 'ours']
    assert content['variants'][1]['comparisons'][0]['median_speedup']['value'] == 2
    assert content['notes'] == []
    shown = capsys.readouterr().out
    assert 'Median speedup 2.00x of 2 pairs' in shown and 'out/report.html' in shown


def test_what_is_finished_is_not_trained_again(configs, trained, no_report):
    compare(configs)
    compare([*configs[:-2], '2', '--work-dir', 'out'])
    assert [(each.name, each.seed) for each in trained[4:]] == [('base', 2), ('ours', 2)]


def test_settings_of_the_distillation_reach_only_configs_with_a_teacher(
    configs, trained, no_report
):
    options = ['model.gamma=0.5', 'optim_wrapper.optimizer.lr=0.2']
    compare([*configs, '--cfg-options', *options])
    assert {each.name: each.options for each in trained} == {
        'base': ('optim_wrapper.optimizer.lr=0.2',),
        'ours': tuple(options),
    }


def test_the_pairs_have_the_teachers_in_turn(configs, trained, no_report):
    Path('weak2.pth').write_text('')
    compare([*configs, '--teachers', 'weak.pth', 'weak2.pth'])
    assert [each.options for each in trained] == [
        *((), ('model.teacher.checkpoint=weak.pth',)),
        *((), ('model.teacher.checkpoint=weak2.pth',)),
    ]


def test_the_report_lists_the_teachers_of_all_seeds(configs, trained):
    Path('weak2.pth').write_text('')
    compare([*configs, '--teachers', 'weak.pth', 'weak2.pth'])
    (told,) = [
        each['variants']['ours']
        for each in json.loads(Path('out/report.json').read_text())['differences']
        if each['setting'] == 'model.teacher'
    ]
    assert [each['checkpoint'] for each in told] == ['weak.pth', 'weak2.pth']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ('optim_wrapper.optimizer.lr=0.2', r'optimizer\.lr: 0\.1 there, 0\.2 now'),
        ('train_cfg.max_iters=100', r'max_iters: 80 there, 100 now'),
        ('default_hooks.weak_to_strong.x=3', r'WeakToStrongHook\.x: None there, 3 now'),
        ('model.teacher.checkpoint=weak2.pth', r"checkpoint: 'weak\.pth' there"),
    ],
)
def test_a_changed_config_in_an_old_work_dir_is_refused(
    configs, trained, no_report, change, message
):
    compare(configs)
    Path('weak2.pth').write_text('')
    with pytest.raises(W2SError, match=rf'{message}[\s\S]*another --work-dir'):
        compare([*configs, '--cfg-options', change])


def test_infinity_in_a_config_is_no_difference(configs, trained, no_report):
    with Path('base.py').open('a') as base:
        base.write("model.update(limits=(64, float('inf')))\n")
    compare(configs)
    compare(configs)
    assert len(trained) == 4


def test_the_rate_of_all_runs_is_scaled_alike(configs, trained, no_report):
    with Path('base.py').open('a') as base:
        base.write('auto_scale_lr = dict(base_batch_size=8)\n')
    with pytest.raises(
        W2SError, match=r'is 4 \(batch size 4 x 1 process\), and .* is for 8'
    ) as stop:
        compare(configs)
    assert trained == [] and '--gpus-per-run 2\n' in str(stop.value)
    compare([*configs[:-1], 'on_two', '--gpus-per-run', '2'])
    trained.clear()
    compare([*configs, '--auto-scale-lr'])
    assert {each.options for each in trained} == {('auto_scale_lr.enable=True',)}
    with pytest.raises(W2SError, match=r'times that of the config: 0\.5 there, 1\.0 now'):
        compare([*configs, '--cfg-options', 'auto_scale_lr.base_batch_size=4'])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('ours.py --baseline base.py --seeds 0 1 0', r'--seeds has \[0\] more than once'),
        ('ours.py --baseline base.py --seeds -1', 'negative'),
        ('ours.py --baseline base.py --seeds 0 --jobs 0', '--jobs is 0'),
        ('ours.py --baseline base.py --seeds 0 --gpus-per-run 0', '--gpus-per-run is 0'),
        (
            'ours.py --baseline base.py --seeds 0 --gpus-per-run 2 --launcher none',
            'needs --launcher pytorch or slurm',
        ),
        ('ours.py --baseline base.py --seeds 0 --budgets 0.5', 'needs --margin, fixed before'),
        ('ours.py --baseline base.py --seeds 0 --budgets 2 --margin 1', 'expected parts of'),
        ('ours.py ours.py --baseline base.py --seeds 0', 'ours is given twice'),
        ('base.py --baseline base.py --seeds 0', 'base is given twice'),
        (
            'ours.py --baseline base.py --seeds 0 --teachers weak.pth no.pth',
            '2 checkpoints for 1 seeds',
        ),
        ('ours.py --baseline base.py --seeds 0 --teachers no.pth', r'does not exist: no\.pth'),
        ('none.py --baseline base.py --seeds 0', 'Config not found: none.py'),
        ('ours.py --baseline none.py --seeds 0', 'Config not found: none.py'),
    ],
)
def test_mistakes_on_the_command_line(configs, trained, arguments, message):
    with pytest.raises(W2SError, match=message):
        compare([*arguments.split(), *UNCHECKED])
    assert trained == []


def test_a_learning_rate_that_nobody_looked_at_is_refused(configs, trained):
    with pytest.raises(W2SError, match=r'--check-rate SEED.*--rate-not-checked'):
        compare([each for each in configs if each not in UNCHECKED])
    assert trained == []


def test_the_baseline_is_trained_at_half_and_twice_its_learning_rate(configs, trained, no_report):
    arguments = [each for each in configs if each not in UNCHECKED]
    compare([*arguments, '--check-rate', '100'])
    assert [(str(each.run_dir), each.options) for each in trained[:3]] == [
        ('out/base/rate0.5/seed100', ('optim_wrapper.optimizer.lr=0.05',)),
        ('out/base/rate1/seed100', ('optim_wrapper.optimizer.lr=0.1',)),
        ('out/base/rate2/seed100', ('optim_wrapper.optimizer.lr=0.2',)),
    ]


def test_the_report_says_whether_the_learning_rate_was_looked_at(configs, trained):
    compare(configs)
    assert 'has not been compared with itself at half' in Path('out/report.md').read_text()
    arguments = [each for each in configs if each not in UNCHECKED]
    compare([*arguments, '--check-rate', '100'])
    assert '| 100 | 0.05 | 55.0 | 55.0 |' in Path('out/report.md').read_text()


def test_a_seed_that_is_reported_is_none_for_tuning(configs, trained):
    arguments = [each for each in configs if each not in UNCHECKED]
    with pytest.raises(W2SError, match=r'--check-rate has \[1\], which --seeds reports'):
        compare([*arguments, '--check-rate', '1', '100'])


def test_shorter_runs_are_trained_beside_the_full_ones(configs, trained):
    compare([*configs, '--budgets', '1', '0.5', '--margin', '2'])
    assert [(str(each.run_dir), each.budget) for each in trained[4:]] == [
        (f'out/{name}/budget0.5/seed{seed}', 0.5) for seed in (0, 1) for name in ('base', 'ours')
    ]
    content = json.loads(Path('out/report.json').read_text())
    assert [(each['name'], each['budget']) for each in content['budgets']] == [
        (name, budget) for name in ('base', 'ours') for budget in (1.0, 0.5)
    ]
    assert len(content['runs']) == 4


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('train_cfg = dict(val_interval=10)', r'differ in train_cfg\.val_interval: 20 and 10'),
        ('train_cfg = dict(max_iters=100)', 'differ in length of the run: 80 and 100'),
        ('default_hooks = dict(time_to_target=dict(thresholds=[60]))', 'differ in thresholds'),
        ("default_hooks = dict(time_to_target=dict(metric='x'))", 'differ in metric'),
        ('default_hooks = dict(time_to_target=None)', 'does not measure its time to target'),
    ],
)
def test_what_is_measured_otherwise_is_refused(configs, trained, line, message):
    text = "_base_ = 'base.py'\nmodel = dict(width=9)\n"
    Path('ours.py').write_text(text + line + '\n')
    with pytest.raises(W2SError, match=message):
        compare(configs)
    assert trained == []


def test_a_teacher_that_is_not_there_is_said_before_anything_is_trained(configs, trained):
    Path('weak.pth').unlink()
    with pytest.raises(W2SError, match=r'teacher of ours\.py does not exist: weak\.pth\. Train it'):
        compare(configs)
    assert trained == []


@pytest.mark.parametrize(
    ('key', 'value', 'what'),
    [('initial_weights', 'other', 'initial weights'), ('batches', ['c'], 'first batches')],
)
def test_a_pair_that_starts_otherwise_is_stopped_at_once(
    configs, trained, monkeypatch, key, value, what
):
    honest = leave

    def dishonest(training):
        honest(training)
        path = training.run_dir / 'run.json'
        if training.name == 'ours':
            write_json(path, {**json.loads(path.read_text()), key: value})

    monkeypatch.setitem(globals(), 'leave', dishonest)
    with pytest.raises(W2SError, match=rf'\(seed 0\) differ in the {what}'):
        compare(configs)
    assert not Path('out/report.html').exists()


SMALL = """
_base_ = '{root}/configs/digits/classifier_{role}.py'
train_cfg = dict(max_iters=4, val_interval=2)
val_dataloader = dict(batch_size=400)
default_hooks = dict(time_to_target=dict(thresholds=[1]))
"""


@pytest.mark.slow
def test_a_real_pair_of_classifiers(tmp_path, monkeypatch):
    import torch
    from mmengine.registry import MODELS, DefaultScope

    from w2s_mm.commands.train import train

    def run(plan, launch, check):
        """In this process, which has the stack imported already."""
        for each in plan:
            if not each.finished:
                train(each.command()[4:])
            check([each])
        check(plan)

    monkeypatch.setattr(command, 'run_all', run)
    monkeypatch.chdir(ROOT)
    teacher = Config.fromfile('configs/digits/classifier_teacher.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        import mmpretrain.models  # noqa: F401

        torch.save(MODELS.build(teacher.model).state_dict(), tmp_path / 'weak.pth')
    for role in ('baseline', 'student'):
        (tmp_path / f'{role}.py').write_text(SMALL.format(root=ROOT, role=role))
    with (tmp_path / 'student.py').open('a') as config:
        config.write(f"model = dict(teacher=dict(checkpoint='{tmp_path / 'weak.pth'}'))\n")
        schedule = "dict(unit='iter', lambda_max=2.0, warmup=0, hold=4, decay=0)"
        config.write(f"default_hooks['weak_to_strong'] = dict(schedule={schedule})\n")
    arguments = [str(tmp_path / 'student.py'), '--baseline', str(tmp_path / 'baseline.py')]
    arguments += [*UNCHECKED, '--seeds', '0', '--work-dir', str(tmp_path / 'out')]
    compare(arguments)
    content = json.loads((tmp_path / 'out/report.json').read_text())
    base, ours = (run['record'] for run in content['runs'])
    assert base['initial_weights'] == ours['initial_weights'] and base['batches'] == ours['batches']
    assert ours['teacher']['checkpoint'] == str(tmp_path / 'weak.pth')
    before = (tmp_path / 'out/student/seed0/run.json').stat().st_mtime_ns
    compare(arguments)  # the configs that were dumped are those that were read
    assert (tmp_path / 'out/student/seed0/run.json').stat().st_mtime_ns == before
