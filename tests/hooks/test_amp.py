"""Automatic mixed precision: what an overflow of the loss scale does, and does not do."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.runner import Runner

from tests.hooks.toy import make_config, make_teacher
from w2s_mm.utils.mm import unwrapped

HEADS = [dict(type='ToyDistillHead'), dict(type='ToyFeatureHead', weight=0.5)]


@pytest.fixture
def amp_on_a_cpu(monkeypatch):
    """MMEngine's own wrapper, which otherwise asks for an accelerator."""
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(
        amp_optimizer_wrapper, 'GradScaler', lambda **kwargs: torch.amp.GradScaler('cpu', **kwargs)
    )


class Overflow(Hook):
    """Makes one gradient infinite in some iterations, and looks at what the step then did."""

    priority = 'LOWEST'

    def __init__(self, at) -> None:
        self.at = at
        self.scales: list[float] = []
        self.changed: list[bool] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        model = unwrapped(runner.model)
        self.before = [p.detach().clone() for p in model.parameters()]
        self.handle = model.head[1].weight.register_hook(
            lambda gradient: gradient * torch.inf if runner.iter in self.at else gradient
        )

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.handle.remove()
        after = list(unwrapped(runner.model).parameters())
        assert all(p.isfinite().all() for p in after)
        if len(after) == len(self.before):  # adapters have not just been removed
            self.changed.append(
                [not torch.equal(a, b) for a, b in zip(self.before, after, strict=True)]
            )
        self.scales.append(runner.optim_wrapper.loss_scaler.get_scale())


@pytest.mark.parametrize('by_epoch', [True, False])
def test_an_overflow_skips_a_step_and_touches_neither_the_gate_nor_the_adapters(
    tmp_path, amp_on_a_cpu, by_epoch
):
    """Overflows in the iterations before, at and after a validation, and where the gate closes."""

    def train(name, at):
        config = make_config(
            tmp_path / name,
            make_teacher(tmp_path),
            by_epoch=by_epoch,
            norm=False,
            hook=dict(reference=1e-6, stop=dict(k=3)),
            schedule=dict(unit='training', lambda_max=1.0, warmup=0.0, hold=1.0, decay=0.0),
            model=dict(distill_head=HEADS),
        )
        config.optim_wrapper.update(type='AmpOptimWrapper', dtype='bfloat16')
        config.optim_wrapper.loss_scale = dict(init_scale=1024.0, growth_interval=1000)
        runner = Runner.from_cfg(config)
        runner.register_hook(spy := Overflow(at))
        runner.train()
        return json.loads((tmp_path / name / 'weak_to_strong.json').read_text()), spy

    calm, _ = train('calm', ())
    story, spy = train('overflow', (0, 3, 4, 11))
    assert calm['closed_at']['iter'] == story['closed_at']['iter'] == 12
    assert [e['streak'] for e in story['history']] == [e['streak'] for e in calm['history']]
    assert all(0 < e['value'] <= 1 for e in story['history'])
    assert [sum(steps) > 0 for steps in spy.changed] == [
        i not in (0, 3, 4, 11) for i in range(len(spy.changed))
    ]
    assert all(spy.changed[5])  # the adapters too learn on
    assert spy.scales[-1] == 1024 / 2**4


def test_scale_and_gate_are_those_of_the_uninterrupted_run(tmp_path, amp_on_a_cpu):
    def config(name, **settings):
        made = make_config(tmp_path / name, teacher, model=dict(distill_head=HEADS), **settings)
        made.optim_wrapper.update(type='AmpOptimWrapper', dtype='bfloat16')
        made.optim_wrapper.loss_scale = dict(init_scale=1024.0, growth_interval=3)
        return made

    teacher = make_teacher(tmp_path)
    whole = Runner.from_cfg(config('run'))
    whole.train()
    story = (tmp_path / 'run' / 'weak_to_strong.json').read_text()
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(tmp_path / 'run' / 'epoch_2.pth'))
    resumed = Runner.from_cfg(config('run', resume=True))
    resumed.train()
    assert (tmp_path / 'run' / 'weak_to_strong.json').read_text() == story
    scales = [each.optim_wrapper.loss_scaler.get_scale() for each in (whole, resumed)]
    assert scales[0] == scales[1] > 1024
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)
