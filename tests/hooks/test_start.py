"""The hook: when it acts, what it leaves untouched, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner

from tests.hooks.toy import ToyNet, make_config, make_teacher, run, same, weights
from w2s_mm.hooks import RunRecordHook, StartHook, weak_to_strong
from w2s_mm.hooks.start import blend
from w2s_mm.utils.errors import W2SError

PART = 'body.1'


def started(folder, teacher=None, start=None, **overrides):
    """Config of a toy run with a StartHook; with ``teacher`` of a student."""
    config = make_config(folder, teacher, **overrides)
    config.default_hooks.start = dict(type='StartHook', **{'how': 'inherit', **(start or {})})
    return config


@MODELS.register_module(force=True)
class ToyClasses(ToyNet):
    """The toy with one output a class; the loss reads the first."""

    def __init__(self, num_classes=1, **kwargs):
        super().__init__(**kwargs)
        self.head[1] = torch.nn.Linear(8, num_classes)

    def loss(self, inputs, data_samples):
        return dict(loss=self.head(self.body(inputs))[:, 0].square().mean())


def first_weights(config):
    """The weights just before the first iteration, and the runner."""
    seen = {}

    runner = Runner.from_cfg(config)
    original = runner.model.train_step

    def look(*args, **kwargs):
        seen.update({} if seen else weights(runner))
        return original(*args, **kwargs)

    runner.model.train_step = look
    runner.train()
    return seen, runner


def start_of(runner):
    return next(hook for hook in runner.hooks if isinstance(hook, StartHook))


@pytest.fixture
def teacher(tmp_path):
    return make_teacher(tmp_path, width=8)


def test_a_plain_model_starts_from_the_given_weights(tmp_path, teacher):
    seen, runner = first_weights(started(tmp_path, start=teacher, epochs=1))
    assert same(seen, torch.load(teacher['checkpoint']))
    assert start_of(runner).difference.lossless
    plain = ToyNet()
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    plain.load_state_dict(saved['state_dict'], strict=True)


def test_a_student_starts_from_its_teacher(tmp_path, teacher):
    seen, runner = first_weights(started(tmp_path, teacher, dict(parts=[PART]), epochs=3))
    kept = torch.load(teacher['checkpoint'])
    fresh, _ = first_weights(make_config(tmp_path / 'base', None, epochs=1))
    for name, value in seen.items():
        assert torch.equal(value, (kept if name.startswith(PART) else fresh)[name])
    assert not start_of(runner).difference.lossless


def test_the_order_of_the_data_and_the_random_numbers_stay_those_of_the_baseline(tmp_path, teacher):
    """Dropout and augmentation included: with nothing kept, the run is bitwise the baseline."""
    base = run(make_config(tmp_path / 'base', None, epochs=2))
    ours = run(started(tmp_path / 'ours', start=dict(teacher, keep=0.0), epochs=2))
    assert same(weights(base), weights(ours))


def test_batches_are_those_of_the_baseline(tmp_path, teacher):
    records = []
    for config in (
        make_config(tmp_path / 'base', None, epochs=1),
        started(tmp_path / 'ours', start=teacher, epochs=1),
    ):
        runner = Runner.from_cfg(config)
        runner.register_hook(RunRecordHook())
        runner.train()
        records.append(json.loads((Path(runner.work_dir) / 'run.json').read_text()))
    base, ours = records
    assert base['batches'] == ours['batches']
    assert base['initial_weights'] != ours['initial_weights']
    assert base['start'] is None
    assert ours['start'] == dict(
        how='inherit',
        parts=['all'],
        keep=1.0,
        checkpoint=teacher['checkpoint'],
        fingerprint=ours['start']['fingerprint'],
        lossless=True,
        largest_difference=0.0,
    )
    assert len(ours['start']['fingerprint']) == 64


def test_a_resumed_run_goes_on_from_its_checkpoint(tmp_path, teacher):
    whole = run(started(tmp_path / 'whole', start=teacher, epochs=2))
    run(started(tmp_path / 'part', start=teacher, epochs=1))
    Path(teacher['checkpoint']).rename(tmp_path / 'moved.pth')  # it is not read again
    resumed = run(started(tmp_path / 'part', start=teacher, epochs=2, resume=True))
    assert same(weights(whole), weights(resumed))
    assert start_of(resumed).difference is None


def test_a_run_told_to_resume_that_has_no_checkpoint_is_started(tmp_path, teacher):
    seen, _ = first_weights(started(tmp_path, start=teacher, epochs=1, resume=True))
    assert same(seen, torch.load(teacher['checkpoint']))


def test_an_average_of_the_weights_begins_with_them(tmp_path, teacher):
    """EMAHook copies the model before ``init_weights``, and again at its first update."""
    config = started(tmp_path, start=teacher, epochs=1)
    config.custom_hooks = [dict(type='EMAHook', momentum=1e-9)]
    config.optim_wrapper.optimizer.lr = 0.0
    runner = run(config)
    average = next(hook.ema_model for hook in runner.hooks if hasattr(hook, 'ema_model'))
    kept = torch.load(teacher['checkpoint'])
    for name, value in average.module.named_parameters():
        torch.testing.assert_close(value, kept[name])


def test_half_of_the_start_is_half_way_between_both(tmp_path, teacher):
    fresh, _ = first_weights(make_config(tmp_path / 'base', None, epochs=1))
    seen, _ = first_weights(started(tmp_path, start=dict(teacher, keep=0.25), epochs=1))
    kept = torch.load(teacher['checkpoint'])
    for name, value in seen.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.25 * kept[name] + 0.75 * fresh[name])


def test_a_tensor_of_two_names_is_blended_once():
    net = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))
    net[1] = net[0]
    own = net[0].weight.detach().clone()
    value = torch.full((1, 1), 5.0)
    blend(net, {'0.weight': value, '1.weight': value}, keep=0.5)
    torch.testing.assert_close(net[0].weight.detach(), (own + value) / 2)


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        (dict(how='copy'), "how is 'copy'"),
        (dict(keep=1.5), 'keep is 1.5'),
        (dict(keep=float('nan')), 'keep is nan'),
        (dict(noise=-1), 'noise is -1'),
        (dict(parts='neck'), "parts is 'neck'"),
        (dict(parts=[]), 'parts is'),
    ],
)
def test_arguments_out_of_range_are_refused(argument, message):
    with pytest.raises(W2SError, match=message):
        StartHook(**{'how': 'inherit', **argument})


@pytest.mark.parametrize(
    ('start', 'message'),
    [
        (dict(parts=['nek']), r"names 'nek', and the ToyNet has no weight.*it has body, head"),
        (dict(checkpoint='nowhere.pth'), 'default_hooks.start.checkpoint'),
        (dict(config='nowhere.py'), 'default_hooks.start.config'),
        (dict(config=None), 'The run has no teacher'),
    ],
)
def test_a_start_that_cannot_be_is_refused_before_training(tmp_path, teacher, start, message):
    with pytest.raises(W2SError, match=message):
        run(started(tmp_path / 'run', start={**teacher, **start}, epochs=1))
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_a_run_that_splits_the_model_is_refused(tmp_path, teacher):
    config = started(tmp_path / 'run', start=teacher, epochs=1)
    config.model_wrapper_cfg = dict(type='MMFullyShardedDataParallel')
    with pytest.raises(W2SError, match='MMFullyShardedDataParallel'):
        run(config)


def test_shapes_that_differ_are_named(tmp_path):
    teacher = make_teacher(tmp_path, width=4)
    expected = r'body.1.weight: \(8, 12\) in the student, \(4, 12\) in the source'
    with pytest.raises(W2SError, match=expected):
        run(started(tmp_path / 'run', start=dict(teacher, parts=[PART]), epochs=1))


@pytest.mark.parametrize(('count', 'names'), [(3, None), (1, ('another',))])
def test_a_model_of_other_classes_starts_all_but_the_class_layers(tmp_path, count, names):
    """More classes, or other ones, as the checkpoint says."""
    source = ToyClasses(count)
    path = tmp_path / 'source.pth'
    meta = dict(dataset_meta=dict(classes=names))
    torch.save(dict(state_dict=source.state_dict(), meta=meta), path)
    start = dict(config=dict(type='ToyClasses', num_classes=count), checkpoint=str(path))
    config = started(tmp_path / 'run', start=start, epochs=1)
    config.model = dict(type='ToyClasses', num_classes=1)
    config.val_evaluator, config.val_dataloader, config.val_cfg = None, None, None
    config.default_hooks.pop('time_to_target')
    seen, _ = first_weights(config)
    kept = source.state_dict()
    equal = {name for name, value in seen.items() if torch.equal(value, kept[name])}
    assert seen.keys() - equal == {'head.1.weight', 'head.1.bias'}
    log = next((tmp_path / 'run').rglob('*.log')).read_text()
    assert '2 class layers left out, as it was trained on other classes: head.1.bias, head' in log


def test_no_distillation_where_a_lossless_start_leaves_nothing_to_learn(tmp_path, teacher):
    """The student is validated before training, and the run is then that of a start alone."""
    alone = run(started(tmp_path / 'alone', start=teacher, epochs=3))
    both = run(started(tmp_path / 'both', teacher, epochs=3))
    assert same(weights(alone), weights(both))
    told = json.loads((tmp_path / 'both' / 'weak_to_strong.json').read_text())
    assert told['closed_at'] == {'iter': 0, 'epoch': 0.0}
    assert told['history'][0]['iter'] == 0
    assert told['history'][0]['value'] == pytest.approx(told['reference'])
    measured = json.loads((tmp_path / 'both' / 'time_to_target.json').read_text())
    assert [point['iter'] for point in measured['history']] == [4, 8, 12]


def test_distillation_goes_on_after_any_other_start(tmp_path, teacher):
    run(started(tmp_path / 'both', teacher, dict(keep=0.5), epochs=3))
    told = json.loads((tmp_path / 'both' / 'weak_to_strong.json').read_text())
    assert told['history'][0]['iter'] == 4


def test_distillation_goes_on_below_the_level_of_the_teacher(tmp_path, teacher, monkeypatch):
    monkeypatch.setattr(weak_to_strong, 'validate', lambda runner: {'toy/fit': 0.1})
    run(started(tmp_path / 'both', teacher, hook=dict(reference=0.999), epochs=3))
    told = json.loads((tmp_path / 'both' / 'weak_to_strong.json').read_text())
    assert told['history'][0] == dict(iter=0, value=0.1, streak=0)
    assert told['closed_at'] is None or told['closed_at']['iter'] > 0


def test_a_student_grows_from_its_teacher(tmp_path):
    teacher = make_teacher(tmp_path, width=4)
    seen, runner = first_weights(started(tmp_path, teacher, dict(how='grow'), epochs=3))
    assert start_of(runner).difference.lossless
    small = torch.load(teacher['checkpoint'])['body.1.weight']
    assert torch.equal(seen['body.1.weight'][::2], small)
