"""TensorBoard and Weights & Biases show what the log shows."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest
from mmengine.visualization import Visualizer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.hooks.toy import make_config, make_teacher, run

SHOWN = (
    'distill_lambda',
    'distill_temperature',
    'loss_distill_toy',
    'grad_norm_base',
    'grad_norm_distill',
    'grad_cosine',
    'loss',
    'toy/fit',
    'distill_streak',
    'distill_reference',
    'distill_closed',
)


@pytest.fixture
def train(tmp_path):
    """``train(backend)``: a distilled toy run; its log's scalars as (name, step) to value."""

    def trained(backend):
        config = make_config(tmp_path / 'run', make_teacher(tmp_path))
        config.default_hooks.gradient_norms = dict(type='GradientNormHook', interval=2)
        backends = [dict(type='LocalVisBackend'), backend]
        config.visualizer = dict(type='Visualizer', vis_backends=backends)
        # MMEngine keeps one visualizer a process by name.
        config.visualizer.name = f'visualizer_{tmp_path.name}'
        run(config)
        Visualizer.get_instance(config.visualizer.name).close()
        logged = {}
        (path,) = (tmp_path / 'run').glob('*/vis_data/scalars.json')
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            step = entry.pop('step')
            logged.update({(name, step): value for name, value in entry.items()})
        return logged

    return trained


def test_the_tensorboard_event_file_holds_the_scalars_of_the_log(train, tmp_path):
    logged = train(dict(type='TensorboardVisBackend'))
    (path,) = (tmp_path / 'run').glob('*/vis_data/events.out.tfevents.*')
    events = EventAccumulator(str(path))
    events.Reload()
    shown = {
        (tag, e.step): e.value for tag in events.Tags()['scalars'] for e in events.Scalars(tag)
    }
    for name in SHOWN:
        steps = [step for tag, step in logged if tag == name]
        assert steps, name
        for step in steps:
            assert shown[name, step] == pytest.approx(logged[name, step], rel=1e-5), name


def test_weights_and_biases_is_given_the_same_scalars(train, monkeypatch):
    """With a stand-in for wandb, which is no dependency: what MMEngine's backend hands over."""
    given, begun = {}, {}

    def log(scalars, step=None, commit=True):
        given.update({(name, step): value for name, value in scalars.items()})

    fake = SimpleNamespace(
        init=lambda **kwargs: begun.update(kwargs),
        log=log,
        config=SimpleNamespace(update=lambda *_, **__: None),
        run=SimpleNamespace(log_code=lambda **_: None),
        join=lambda: None,
    )
    monkeypatch.setitem(sys.modules, 'wandb', fake)
    logged = train(dict(type='WandbVisBackend', init_kwargs=dict(mode='offline')))
    assert begun['mode'] == 'offline'
    names = {name for name, _ in given}
    assert set(SHOWN) <= names
    for (name, step), value in given.items():
        if name in SHOWN and (name, step) in logged:
            assert float(value) == pytest.approx(logged[name, step], rel=1e-5), name
