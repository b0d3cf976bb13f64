"""Gradient norms: right, and without a trace in the training."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.hooks.toy import ToyNet, make_config, make_teacher, run, same, weights
from w2s_mm.hooks import GradientNormHook
from w2s_mm.hooks.gradient_norms import gradient_norms
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.run_files import read_run_file


def measured(work_dir):
    return read_run_file(work_dir / 'gradient_norms.jsonl')


def config(work_dir, teacher, interval=1, **kwargs):
    cfg = make_config(work_dir, teacher, **kwargs)
    cfg.default_hooks.gradient_norms = dict(type='GradientNormHook', interval=interval)
    return cfg


def test_the_norms_and_the_cosine_are_those_of_the_two_gradients():
    torch.manual_seed(0)
    net = ToyNet(norm=False)
    inputs = torch.randn(4, 3, 2, 2)
    out = net.head(net.body(inputs)).squeeze(-1)
    losses = {
        'loss_base': out.square().mean(),
        'loss_distill_a': 0.5 * out.mean(),
        'acc': out.sum(),
    }
    losses['loss_distill_b'] = 0.25 * out.mean()
    found = gradient_norms(net, losses)

    def gradient(term):
        parts = torch.autograd.grad(term, list(net.parameters()), retain_graph=True)
        return torch.cat([part.flatten() for part in parts])

    base, ours = gradient(losses['loss_base']), gradient(0.75 * out.mean())
    assert found['grad_norm_base'] == pytest.approx(float(base.norm()))
    assert found['grad_norm_distill'] == pytest.approx(float(ours.norm()))
    cosine = torch.nn.functional.cosine_similarity(base, ours, dim=0)
    assert found['grad_cosine'] == pytest.approx(float(cosine), abs=1e-6)
    assert all(p.grad is None for p in net.parameters())


def test_a_scale_is_taken_out_again_and_parallel_gradients_have_cosine_one():
    net = ToyNet(norm=False)
    out = net.head(net.body(torch.ones(4, 3, 2, 2))).mean()
    losses = {'loss_base': out, 'loss_distill_a': 2 * out}
    found, scaled = (gradient_norms(net, losses, scale) for scale in (1.0, 1024.0))
    assert found == pytest.approx(scaled)
    assert found['grad_norm_distill'] == pytest.approx(2 * found['grad_norm_base'])
    assert found['grad_cosine'] == pytest.approx(1)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_the_training_is_bit_by_bit_the_one_without_it(tmp_path, by_epoch):
    teacher = make_teacher(tmp_path)
    with_it = run(config(tmp_path / 'with', teacher, by_epoch=by_epoch))
    without = run(make_config(tmp_path / 'without', teacher, by_epoch=by_epoch))
    assert same(weights(with_it), weights(without))


def test_it_measures_every_n_iterations_and_knows_no_distillation_after_the_end(tmp_path):
    told = dict(schedule=dict(unit='iter', lambda_max=1.0, warmup=0, hold=8, decay=0))
    run(config(tmp_path, make_teacher(tmp_path), interval=4, **told, hook=dict(stop=dict(k=100))))
    found = measured(tmp_path)
    assert found['interval'] == 4
    assert all(entry['seconds'] > 0 for entry in found['history'])
    assert [entry['iter'] for entry in found['history']] == [1, 5, 9, 13]
    assert [entry['grad_norm_distill'] > 0 for entry in found['history']] == [
        True,
        True,
        False,
        False,
    ]
    assert all(entry['grad_norm_base'] > 0 for entry in found['history'])
    assert found['history'][2]['grad_cosine'] == 0


def test_a_baseline_can_be_measured_too(tmp_path):
    run(config(tmp_path, None, interval=8))
    assert [entry['grad_norm_distill'] for entry in measured(tmp_path)['history']] == [0, 0]


def test_a_resumed_run_goes_on_with_its_file(tmp_path):
    run(config(tmp_path, None, interval=2, epochs=2))
    path = tmp_path / 'gradient_norms.jsonl'
    # Measured after the last checkpoint, and a line that the end of the run cut short.
    whole = '{"iter": 99, "grad_norm_base": 1, "grad_norm_distill": 0, "grad_cosine": 0}\n'
    path.write_text(path.read_text() + whole + '{"iter": 101, "gr')
    assert [entry['iter'] for entry in measured(tmp_path)['history']] == [1, 3, 5, 7, 99]
    cfg = config(tmp_path, None, interval=2, epochs=3)
    cfg.resume = True
    run(cfg)
    assert [entry['iter'] for entry in measured(tmp_path)['history']] == [1, 3, 5, 7, 9, 11]


def test_a_new_run_in_the_same_directory_starts_its_file_again(tmp_path):
    for _ in range(2):
        run(config(tmp_path, None, interval=8))
    assert [entry['iter'] for entry in measured(tmp_path)['history']] == [1, 9]


def test_a_measurement_is_appended_and_nothing_before_it_is_written_again(tmp_path):
    """The file of 100,000 measurements would otherwise be written 100,000 times."""
    runner = Runner.from_cfg(config(tmp_path, None, epochs=2))
    path, seen = tmp_path / 'gradient_norms.jsonl', []

    class Look(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, *_, **__):
            seen.append((path.stat().st_ino, path.stat().st_size, path.read_bytes()))

    runner.register_hook(Look())
    runner.train()
    assert len({inode for inode, _, _ in seen}) == 1  # never replaced
    for (_, size, content), (_, _, after) in pairwise(seen):
        assert after[:size] == content and after.count(b'\n') == content.count(b'\n') + 1


def test_infinity_is_written_as_null(tmp_path, monkeypatch):
    monkeypatch.setattr(
        'w2s_mm.hooks.gradient_norms.gradient_norms',
        lambda *_: {'grad_norm_base': float('inf'), 'grad_norm_distill': 0.0, 'grad_cosine': 0.0},
    )
    run(config(tmp_path, None, interval=8))
    assert measured(tmp_path)['history'][0]['grad_norm_base'] is None


@pytest.mark.parametrize('interval', [0, -1, 2.5])
def test_an_interval_below_one_is_refused(interval):
    with pytest.raises(W2SError, match='remove the hook'):
        GradientNormHook(interval)


def test_a_model_whose_forward_gives_no_losses_is_refused(tmp_path, monkeypatch):
    runner = Runner.from_cfg(config(tmp_path, None))
    loss = torch.zeros((), requires_grad=True)
    monkeypatch.setattr(runner.model, 'train_step', lambda *_, **__: {'loss': loss})
    with pytest.raises(W2SError, match='found no losses'):
        runner.train()
