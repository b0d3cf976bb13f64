"""Schedules compressed to a shorter end: each case checked by the learning rates that it gives."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from w2s_mm.commands.budget import shorten
from w2s_mm.utils.errors import W2SError

INF = 10**9


def config(*schedulers, **train):
    train = train or {'max_iters': 100}
    return Config({'train_cfg': train, 'param_scheduler': list(schedulers)})


def rates(cfg):
    """The learning rate of every step, by MMEngine's own schedulers."""
    wrapper = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0))
    built = [
        PARAM_SCHEDULERS.build(dict(each), default_args={'optimizer': wrapper})
        for each in cfg.param_scheduler
    ]
    found = []
    for _ in range(cfg.train_cfg.get('max_iters') or cfg.train_cfg['max_epochs']):
        found.append(wrapper.get_lr()['lr'][0])
        wrapper.optimizer.step()
        for scheduler in built:
            scheduler.step()
    return found


def shortened(cfg, budget):
    cfg = copy.deepcopy(cfg)
    shorten(cfg, budget)
    return cfg


WARMUP = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10)
COSINE = dict(type='CosineAnnealingLR', T_max=100, by_epoch=False, begin=0, end=100)


def test_the_whole_budget_changes_nothing():
    cfg = config(WARMUP, COSINE)
    assert shortened(cfg, 1).to_dict() == cfg.to_dict()


@pytest.mark.parametrize('budget', [0.75, 0.5, 0.2])
def test_a_cosine_ends_where_it_ended(budget):
    cfg = config(COSINE)
    short = shortened(cfg, budget)
    assert short.budget == budget and short.train_cfg.max_iters == round(100 * budget)
    whole, part = rates(cfg), rates(short)
    for i, rate in enumerate(part):
        assert rate == pytest.approx(whole[round(i / budget)], abs=0.02)


def test_a_warmup_keeps_its_length_and_the_rest_is_compressed_behind_it():
    cfg = config(WARMUP, {**COSINE, 'begin': 10, 'T_max': 90})
    short = shortened(cfg, 0.55)
    assert rates(short)[:11] == rates(cfg)[:11]
    assert short.param_scheduler[1].to_dict() == {
        **COSINE,
        'begin': 10,
        'end': 55,
        'T_max': 45,
    }


def test_steps_stay_at_the_same_part_of_the_run():
    steps = dict(type='MultiStepLR', milestones=[60, 90], by_epoch=False, gamma=0.1)
    found = rates(shortened(config(steps), 0.5))
    assert found[29:31] == pytest.approx([1, 0.1]) and found[44:46] == pytest.approx([0.1, 0.01])


def test_epochs():
    steps = dict(type='MultiStepLR', milestones=[8, 11], by_epoch=True, gamma=0.1, begin=0, end=12)
    cfg = config(
        dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
        steps,
        max_epochs=12,
        val_interval=1,
    )
    short = shortened(cfg, 0.5)
    assert short.train_cfg.max_epochs == 6
    assert short.param_scheduler[0] == cfg.param_scheduler[0]
    assert short.param_scheduler[1].to_dict() == {**steps, 'milestones': [4, 5], 'end': 6}


def test_milestones_count_from_the_beginning_of_their_scheduler():
    steps = dict(type='MultiStepLR', milestones=[40], by_epoch=False, begin=20, end=100)
    assert shortened(config(steps), 0.5).param_scheduler[0].to_dict() == {
        **steps,
        'milestones': [20],
        'begin': 10,
        'end': 50,
    }


@pytest.mark.parametrize(
    ('scheduler', 'expected'),
    [
        (dict(type='StepLR', step_size=30), {'step_size': 15}),
        (dict(type='OneCycleLR', eta_max=1.0, total_steps=100), {'total_steps': 50}),
        (dict(type='CosineRestartLR', periods=[40, 60], eta_min=0), {'periods': [20, 30]}),
        (dict(type='PolyLR', end=100), {'end': 50}),
        (dict(type='ExponentialLR', gamma=0.81), {'gamma': 0.81**2}),
        (dict(type='ConstantLR', factor=1.0), {}),
        (dict(type='StepLR', step_size=30, end=INF), {'step_size': 15}),
    ],
)
def test_every_kind(scheduler, expected):
    scheduler['by_epoch'] = False
    found = shortened(config(scheduler), 0.5).param_scheduler[0].to_dict()
    assert found.pop('gamma', None) == pytest.approx(expected.pop('gamma', None))
    scheduler.pop('gamma', None)
    assert found == {**scheduler, **expected}


def test_schedulers_by_optimizer_and_a_single_one():
    cfg = Config(
        {
            'train_cfg': {'max_iters': 100},
            'param_scheduler': {'a': [dict(COSINE)], 'b': dict(COSINE)},
        }
    )
    shorten(cfg, 0.5)
    assert [cfg.param_scheduler.a[0].T_max, cfg.param_scheduler.b.T_max] == [50, 50]


@pytest.mark.parametrize(
    ('cfg', 'budget', 'message'),
    [
        (config(COSINE), 0, 'budget is 0; expected a part of the run'),
        (config(COSINE), 1.5, r'budget is 1\.5'),
        (config(COSINE), float('nan'), 'budget is nan'),
        (config(WARMUP, COSINE), 0.1, 'warmup alone takes 10'),
        (config(COSINE, max_epochs=12), 0.5, 'counts iterations, and the run epochs'),
        (config({**COSINE, 'by_epoch': True}), 0.5, r'Set by_epoch=False of the scheduler'),
        (config(dict(type='MyLR', by_epoch=False)), 0.5, 'has a MyLR, whose times are not known'),
    ],
)
def test_what_cannot_be_compressed_is_refused(cfg, budget, message):
    with pytest.raises(W2SError, match=message):
        shorten(cfg, budget)
