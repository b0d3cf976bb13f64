"""Signals, stop rules and schedules of one's own: defined here, and used from a config alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import MODELS, TASK_UTILS
from mmengine.runner import Runner

from tests.hooks.toy import ToyNet, make_config, make_teacher, run, same, weights
from w2s_mm.core.stop import StopRule
from w2s_mm.utils.errors import W2SError

ALWAYS = dict(type='WarmupHoldDecay', unit='training', lambda_max=1.0, warmup=0, hold=1, decay=0)
TWO_HEADS = [dict(type='ToyDistillHead'), dict(type='ToyFeatureHead')]


@TASK_UTILS.register_module(force=True)
class NoGain(StopRule):
    """Ends distillation once the metric has not improved over ``patience`` validations."""

    def __init__(self, patience: int = 2) -> None:
        self.patience = patience
        self.values: dict[int, float] = {}

    def open(self, reference: float) -> None:
        self.reference = reference

    def observe(self, value: float, iteration: int) -> bool:
        self.values.setdefault(iteration, value)
        values = list(self.values.values())
        return len(values) > self.patience and max(values[-self.patience :]) <= max(
            values[: -self.patience]
        )

    def state_dict(self) -> dict:
        return dict(values=dict(self.values))

    def load_state_dict(self, state: dict) -> None:
        self.values = dict(state['values'])

    def scalars(self) -> dict[str, float]:
        return dict(best=max(self.values.values()))

    def describe(self) -> str:
        return f'the metric has not improved in {self.patience} validations'


@TASK_UTILS.register_module(force=True)
class Halving:
    """1, 1/2, 1/4, ... an epoch."""

    unit = 'epoch'
    length = math.inf

    def __call__(self, u: float) -> float:
        return 0.5 ** int(u)


@pytest.fixture
def teacher(tmp_path: Path) -> dict:
    return make_teacher(tmp_path)


def story(work_dir: Path) -> dict:
    return json.loads((work_dir / 'weak_to_strong.json').read_text())


class Spy(Hook):
    """Keeps what the model used in every iteration."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.weights: list[list[float]] = []
        self.temperatures: list[list[float]] = []
        self.losses: list[set[str]] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.weights.append(list(runner.model.weights))
        self.temperatures.append(list(runner.model.temperatures))
        self.losses.append({name for name in outputs if 'distill' in name})


def spied(config) -> tuple[Runner, Spy]:
    runner, spy = Runner.from_cfg(config), Spy()
    runner.register_hook(spy)
    runner.train()
    return runner, spy


def test_a_stop_rule_of_ones_own(tmp_path, teacher, monkeypatch):
    values = iter([0.1, 0.5, 0.4, 0.5, 0.9])
    monkeypatch.setattr(
        'tests.hooks.toy.ToyFit.compute_metrics', lambda self, results: dict(fit=next(values))
    )
    hook = dict(stop=dict(type='NoGain', patience=2), reference=0.3)
    runner = run(make_config(tmp_path / 'run', teacher, hook=hook, schedule=ALWAYS))
    told = story(tmp_path / 'run')
    # One value goes to the check of the metric's name.
    assert [entry['value'] for entry in told['history']] == [0.5, 0.4, 0.5, 0.9]
    assert told['closed_at']['iter'] == 12
    assert told['stop'] == dict(type='NoGain', patience=2)
    assert told['history'][0]['best'] == 0.5
    assert runner.model.teacher.released


def test_a_stop_rule_of_ones_own_is_resumed(tmp_path, teacher):
    settings = dict(hook=dict(stop=dict(type='NoGain', patience=1)), schedule=ALWAYS)
    run(make_config(tmp_path / 'run', teacher, **settings))
    whole = story(tmp_path / 'run')
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'epoch_2.pth'))
    run(make_config(tmp_path / 'run', teacher, resume=True, **settings))
    assert story(tmp_path / 'run') == whole


def test_no_stop_leaves_the_end_to_the_schedule(tmp_path, teacher):
    hook = dict(stop=dict(type='NeverStop'), reference=1e-6)
    _, spy = spied(make_config(tmp_path / 'run', teacher, hook=hook, schedule=ALWAYS))
    assert spy.weights == [[1.0]] * 16
    assert story(tmp_path / 'run')['closed_at'] is None


def test_a_schedule_of_ones_own_and_its_weights_in_the_file(tmp_path, teacher):
    hook = dict(stop=dict(type='NeverStop'))
    _, spy = spied(make_config(tmp_path / 'run', teacher, hook=hook, schedule=dict(type='Halving')))
    assert [weight for (weight,) in spy.weights] == [0.5 ** (i // 4) for i in range(16)]
    (line,) = story(tmp_path / 'run')['weights']
    assert line['head'] == 'ToyDistillHead'
    assert line['points'][0] == [0, 1.0] and line['points'][-1] == [15, 0.125]
    assert [3, 1.0] in line['points'] and [4, 0.5] in line['points']


def test_each_head_may_have_its_own_weight_schedule_and_temperature(tmp_path, teacher):
    second = dict(
        type='ToyFeatureHead',
        weight=3.0,
        temperature=7.0,
        schedule=dict(unit='iter', lambda_max=0.5, warmup=0, hold=6, decay=0),
    )
    _, spy = spied(
        make_config(
            tmp_path / 'run',
            teacher,
            hook=dict(stop=dict(type='NeverStop')),
            schedule=dict(unit='iter', lambda_max=1.0, warmup=0, hold=10, decay=0),
            model=dict(gamma=2.0, distill_head=[dict(type='ToyDistillHead'), second]),
        )
    )
    assert spy.weights[:10] == [[2.0, 3.0]] * 6 + [[2.0, 0.0]] * 4
    assert spy.weights[10:] == [[]] * 6
    assert spy.temperatures[0] == [2.0, 7.0]
    assert spy.losses[0] == {'loss_distill_0.toy', 'loss_distill_1.features'}
    assert spy.losses[8] == {'loss_distill_0.toy'} and spy.losses[12] == set()
    assert [line['head'] for line in story(tmp_path / 'run')['weights']] == [
        'ToyDistillHead',
        'ToyFeatureHead',
    ]


def test_several_heads_ask_the_teacher_once(tmp_path, teacher, monkeypatch):
    runner = Runner.from_cfg(
        make_config(tmp_path / 'run', teacher, model=dict(distill_head=TWO_HEADS))
    )
    student = runner.model
    student.prepare_teacher()
    student.set_distillation(1.0, 1.0)
    calls = []
    student.teacher.model.register_forward_hook(lambda *_: calls.append(1))
    student.loss(torch.randn(4, 3, 2, 2), torch.randn(4))
    student.loss(torch.randn(4, 3, 2, 2), torch.randn(4))
    assert len(calls) == 2


# -------------------------------------------------------------------- adapters


def adapter_settings(**more) -> dict:
    return dict(
        model=dict(distill_head=TWO_HEADS),
        schedule=ALWAYS,
        **{'hook': dict(stop=dict(type='NeverStop')), **more},
    )


def test_adapters_are_trained_and_in_no_state_dict(tmp_path, teacher):
    config = make_config(tmp_path / 'run', teacher, **adapter_settings())
    runner = Runner.from_cfg(config)
    (_, head) = runner.model.distill_heads
    before = head.project.weight.detach().clone()
    runner.train()
    assert not torch.equal(head.project.weight, before)
    assert runner.model.state_dict().keys() == ToyNet().state_dict().keys()
    checkpoint = torch.load(tmp_path / 'run' / 'epoch_4.pth', weights_only=False)
    assert checkpoint['state_dict'].keys() == ToyNet().state_dict().keys()
    ToyNet().load_state_dict(checkpoint['state_dict'], strict=True)
    runner.model.load_state_dict(checkpoint['state_dict'], strict=True)
    kept = checkpoint['weak_to_strong']['adapters']
    assert torch.equal(kept['1.project.weight'], head.project.weight)
    assert kept['1.calls'] == 16


def test_loading_plain_weights_leaves_the_adapters_alone(tmp_path, teacher):
    runner = Runner.from_cfg(make_config(tmp_path / 'run', teacher, **adapter_settings()))
    (_, head) = runner.model.distill_heads
    before = head.project.weight.detach().clone()
    runner.model.load_state_dict(ToyNet().state_dict(), strict=True)
    assert torch.equal(head.project.weight, before)


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('stop_after', [1, 3])
def test_adapters_are_resumed_exactly(tmp_path, teacher, by_epoch, stop_after):
    settings = adapter_settings(by_epoch=by_epoch)
    whole = run(make_config(tmp_path / 'run', teacher, **settings))
    name = f'epoch_{stop_after}.pth' if by_epoch else f'iter_{4 * stop_after}.pth'
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / name))
    resumed = run(make_config(tmp_path / 'run', teacher, resume=True, **settings))
    assert same(weights(resumed), weights(whole))


@pytest.mark.parametrize('ema', [False, True])
def test_adapters_are_gone_after_the_stop(tmp_path, teacher, ema):
    settings = adapter_settings(hook=dict(reference=1e-6))  # closed after the second validation
    if ema:
        settings['custom_hooks'] = [dict(type='EMAHook', update_buffers=True)]
    whole = run(make_config(tmp_path / 'run', teacher, **settings))
    assert story(tmp_path / 'run')['closed_at']['iter'] == 8
    assert len(whole.model.distill_heads) == 0
    trained = [p for group in whole.optim_wrapper.param_groups for p in group['params']]
    assert len(trained) == len(list(ToyNet().parameters()))
    assert len(whole.optim_wrapper.optimizer.state) == len(trained)
    assert not any('project' in name for name, _ in whole.model.named_parameters())

    for checkpoint in ('epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth'):  # before, at and after it
        (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / checkpoint))
        resumed = run(make_config(tmp_path / 'run', teacher, resume=True, **settings))
        assert same(weights(resumed), weights(whole)), checkpoint


def test_with_the_weight_at_0_adapters_change_nothing(tmp_path, teacher):
    settings = adapter_settings()
    settings['model'] = dict(settings['model'], gamma=0.0)
    ours = run(make_config(tmp_path / 'ours', teacher, **settings))
    base = run(make_config(tmp_path / 'base', None))
    assert same(weights(ours), weights(base))


def test_a_broken_answer_moves_no_adapter(tmp_path, teacher, monkeypatch):
    runner = Runner.from_cfg(make_config(tmp_path / 'run', teacher, **adapter_settings()))
    student = runner.model
    student.prepare_teacher()
    student.set_distillation(1.0, 1.0)
    answer = type(student.teacher).answer

    def broken(self, *args):
        output, tape = answer(self, *args)
        return output * math.nan, tape

    monkeypatch.setattr(type(student.teacher), 'answer', broken)
    losses = student.loss(torch.randn(4, 3, 2, 2), torch.randn(4))
    student.parse_losses(losses)[0].backward()
    (_, head) = student.distill_heads
    assert (head.project.weight.grad == 0).all()


@pytest.mark.parametrize('weight', [0, -1, math.nan])
def test_a_head_without_weight_is_refused(weight):
    with pytest.raises(W2SError, match=rf'weight of ToyFeatureHead is {weight}'):
        MODELS.build(dict(type='ToyFeatureHead', weight=weight))


def test_no_heads_are_refused(tmp_path, teacher):
    with pytest.raises(W2SError, match='distill_head is an empty list'):
        Runner.from_cfg(make_config(tmp_path / 'run', teacher, model=dict(distill_head=[])))


def test_the_checkpoint_of_an_earlier_version_is_refused_with_what_to_do(tmp_path, teacher):
    run(make_config(tmp_path / 'run', teacher, epochs=3))
    path = tmp_path / 'run' / 'epoch_1.pth'
    checkpoint = torch.load(path, weights_only=False)
    checkpoint['weak_to_strong'] = dict(gate={}, schedule={}, teacher='0')
    torch.save(checkpoint, path)
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(path))
    with pytest.raises(W2SError, match=r'written by w2s_mm 0\.1.*another --work-dir'):
        run(make_config(tmp_path / 'run', teacher, epochs=3, resume=True))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(stop=dict(k=3)), "stop: {'k': 2} in the checkpoint, {'k': 3} now"),
        (dict(temperature=3.0), 'temperature'),
        (dict(metric='toy/fit', reference=0.5), 'reference: None in the checkpoint, 0.5 now'),
    ],
)
def test_other_settings_are_not_resumed(tmp_path, teacher, changes, message):
    run(make_config(tmp_path / 'run', teacher, epochs=3, hook=dict(stop=dict(k=2))))
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'epoch_1.pth'))
    config = make_config(
        tmp_path / 'run', teacher, epochs=3, resume=True, hook=dict(stop=dict(k=2))
    )
    config.default_hooks.weak_to_strong.update(changes)
    with pytest.raises(W2SError, match=message):
        run(config)
