import copy
import logging
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

import w2s_mm.optim  # noqa: F401  (registers optimizer and constructor)
from w2s_mm.optim.constructor import abbreviated, sort_parameters
from w2s_mm.optim.muon import MuonWithAdamW
from w2s_mm.utils.errors import W2SError

LR, DECAY, ADAMW_LR = 0.02, 0.1, 0.001


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 8, 1, 1))
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False)
        self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(2))
        self.mix = nn.Linear(8, 16)
        self.words = nn.Embedding(5, 16)

    def forward(self, x):
        x = self.grouped(self.depthwise(self.norm(self.stem(x)) + self.position))
        for layer in self.layers:
            x = x + layer(x)
        return self.mix(x.mean((2, 3))) + self.words.weight.mean(0)


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 2))

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.head(self.backbone(inputs)).square().mean())


MUON = {'backbone.layers.0.weight', 'backbone.layers.1.weight', 'backbone.mix.weight'}


def build(model, paramwise_cfg=None, **optimizer):
    optimizer = dict(
        type='MuonWithAdamW', lr=LR, weight_decay=DECAY, adamw_lr=ADAMW_LR, **optimizer
    )
    cfg = dict(type='OptimWrapper', constructor='MuonConstructor', optimizer=optimizer)
    if paramwise_cfg is not None:
        cfg['paramwise_cfg'] = paramwise_cfg
    return build_optim_wrapper(model, Config(cfg)._cfg_dict)


def settings(model, wrapper, *names):
    """Of every parameter in the optimizer: the named settings of its group."""
    name_of = {parameter: name for name, parameter in model.named_parameters()}
    found = {}
    for group in wrapper.optimizer.param_groups:
        for parameter in group['params']:
            assert name_of[parameter] not in found
            found[name_of[parameter]] = tuple(group[name] for name in names)
    return found


def in_muon(model, wrapper):
    return {name for name, (muon,) in settings(model, wrapper, 'use_muon').items() if muon}


@pytest.fixture
def logged():
    """``logged()``: what MMEngine's log has been told since."""
    logger = MMLogger.get_current_instance()
    records = []
    handler = logging.Handler(logging.INFO)
    handler.emit = records.append
    logger.addHandler(handler)
    yield lambda: [(record.levelname, record.getMessage()) for record in records]
    logger.removeHandler(handler)


def test_each_parameter_goes_where_the_reason_says():
    reasons = {name: because for name, because in sort_parameters(Model()).values()}
    assert {name for name, because in reasons.items() if because is None} == MUON
    assert {name: because for name, because in reasons.items() if because} == {
        'backbone.position': 'tables',
        'backbone.words.weight': 'tables',
        'backbone.stem.weight': 'input layer',
        'backbone.depthwise.weight': 'grouped convolutions',
        'backbone.grouped.weight': 'grouped convolutions',
        'head.0.weight': 'output layers',
        'head.1.weight': 'output layers',
        **dict.fromkeys(
            (
                'backbone.stem.bias',
                'backbone.norm.weight',
                'backbone.norm.bias',
                'backbone.mix.bias',
                'head.0.bias',
                'head.1.bias',
            ),
            'vectors',
        ),
    }


def test_without_a_head_the_last_layer_is_the_output():
    model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(4)))
    model.distill_head = nn.Identity()  # no parameters: no head
    reasons = [because for _, because in sort_parameters(model).values()]
    assert reasons == ['input layer', None, None, 'output layers']


def test_second_layer_is_not_the_input_when_the_first_is_frozen():
    model = Model()
    model.backbone.stem.requires_grad_(False)
    assert in_muon(model, build(model)) == MUON


def test_optimizer_gets_two_groups_and_every_parameter_once():
    model = Model()
    wrapper = build(model)
    assert isinstance(wrapper.optimizer, MuonWithAdamW)
    assert [group['use_muon'] for group in wrapper.optimizer.param_groups] == [True, False]
    assert in_muon(model, wrapper) == MUON
    found = settings(model, wrapper, 'lr', 'weight_decay')
    assert set(found) == {name for name, _ in model.named_parameters()}
    for name, values in found.items():
        assert values == ((LR if name in MUON else ADAMW_LR), DECAY)


def test_frozen_parameters_are_left_out():
    model = Model()
    model.backbone.layers[0].requires_grad_(False)
    model.backbone.norm.requires_grad_(False)
    for paramwise_cfg in (None, dict(norm_decay_mult=0.0)):
        found = settings(model, build(model, paramwise_cfg))
        assert set(found) == {name for name, p in model.named_parameters() if p.requires_grad}


def test_shared_weight_is_there_once():
    model = Model()
    model.backbone.layers[1].weight = model.backbone.layers[0].weight
    assert in_muon(model, build(model)) == MUON - {'backbone.layers.1.weight'}


def test_model_is_found_inside_a_wrapper():
    model = Model()
    ddp = nn.Module()
    ddp.module = model
    assert in_muon(model, build(ddp)) == MUON


def test_decay_factors_apply_to_norms_biases_and_depthwise_convolutions():
    model = Model()
    cfg = dict(norm_decay_mult=0.0, bias_decay_mult=0.5, dwconv_decay_mult=2.0)
    found = settings(model, build(model, cfg), 'lr', 'weight_decay')
    assert found['backbone.norm.weight'] == found['backbone.norm.bias'] == (ADAMW_LR, 0)
    assert found['head.1.bias'] == (ADAMW_LR, DECAY * 0.5)
    assert found['backbone.depthwise.weight'] == (ADAMW_LR, DECAY * 2)
    assert found['backbone.mix.weight'] == (LR, DECAY)


def test_factors_of_custom_keys_apply_to_the_values_of_either_half():
    model = Model()
    cfg = dict(custom_keys={'backbone': dict(lr_mult=0.1, decay_mult=0.0), 'words': dict()})
    found = settings(model, build(model, cfg, adamw_weight_decay=0.3), 'lr', 'weight_decay')
    assert found['backbone.mix.weight'] == (LR * 0.1, 0)
    assert found['backbone.stem.weight'] == (ADAMW_LR * 0.1, 0)
    assert found['head.0.weight'] == (ADAMW_LR, 0.3)
    assert found['backbone.words.weight'] == found['backbone.position'] == (ADAMW_LR * 0.1, 0)


def test_custom_keys_overrule_the_sorting_and_set_what_a_group_has():
    model = Model()
    keys = {'mix': dict(use_muon=False), 'head.0.weight': dict(use_muon=True, momentum=0.8)}
    found = settings(model, build(model, dict(custom_keys=keys)), 'use_muon', 'lr', 'momentum')
    assert found['backbone.mix.weight'] == (False, ADAMW_LR, 0.95)
    assert found['head.0.weight'] == (True, LR, 0.8)
    assert found['backbone.layers.0.weight'] == (True, LR, 0.95)


def test_log_says_in_one_message_what_went_where(logged):
    model = Model()
    model.backbone.grouped.requires_grad_(False)
    build(model, dict(custom_keys={'head': dict(lr_mult=2.0)}))
    ((level, text),) = logged()
    assert level == 'INFO'
    assert text.splitlines()[:2] == [
        'MuonConstructor',
        '  Muon (lr 0.02, weight decay 0.1): 1,280 parameters in '
        'backbone.layers.*.weight (2), backbone.mix.weight',
    ]
    assert (
        '  AdamW, output layers (lr 0.002, weight decay 0.1): 288 parameters in '
        'head.*.weight (2)' in text.splitlines()
    )
    assert text.splitlines()[-1] == ('  Frozen, skipped: 288 parameters in backbone.grouped.weight')
    for name, _ in model.named_parameters():
        assert name in text or re.sub(r'\d+', '*', name) in text


def test_log_warns_when_nothing_is_left_for_muon(logged):
    build(nn.Linear(2, 2))
    ((level, text),) = logged()
    assert level == 'WARNING' and 'no parameters for Muon' in text


def test_abbreviation_keeps_a_name_that_is_alone():
    names = ['a.0.w', 'conv1.w', 'a.1.w', 'a.1.b']
    assert abbreviated(names) == 'a.*.w (2), conv1.w, a.1.b'


def run(work_dir, max_iters, resume=False):
    torch.manual_seed(1)
    runner = Runner(
        model=Model(),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(
            [dict(inputs=torch.ones(3, 6, 6) * i) for i in range(12)], batch_size=2
        ),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
        optim_wrapper=dict(
            type='OptimWrapper',
            constructor='MuonConstructor',
            optimizer=dict(type='MuonWithAdamW', lr=LR, weight_decay=DECAY),
            paramwise_cfg=dict(norm_decay_mult=0.0),
            clip_grad=dict(max_norm=1.0),
        ),
        param_scheduler=dict(type='PolyLR', end=6, by_epoch=False),
        default_hooks=dict(
            logger=None,
            checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False),
        ),
        default_scope='mmengine',
        resume=resume,
        experiment_name=f'muon_{work_dir.name}_{max_iters}_{resume}',
    )
    runner.train()
    return runner


def test_stopped_and_resumed_runner_ends_where_the_uninterrupted_one_does(tmp_path):
    with DefaultScope.overwrite_default_scope('mmengine'):
        whole = run(tmp_path / 'whole', 6)
        run(tmp_path / 'halves', 2)
        second = run(tmp_path / 'halves', 6, resume=True)
    torch.testing.assert_close(second.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)
    assert second.optim_wrapper.get_lr() == whole.optim_wrapper.get_lr()


def test_mmpretrain_classifier_is_sorted_and_trains():
    pytest.importorskip('mmpretrain.models')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(type='ResNet_CIFAR', depth=18, stem_channels=8, base_channels=8),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', num_classes=3, in_channels=64),
            )
        )
        wrapper = build(model)
    expected = {
        name
        for name, parameter in model.named_parameters()
        if name.startswith('backbone.layer') and parameter.ndim == 4
    }
    assert (
        len(expected) == 16 + 3
    )  # convolutions of 8 blocks, and of the shortcuts that change shape
    assert in_muon(model, wrapper) == expected
    before = copy.deepcopy(model.state_dict())
    wrapper.update_params(model(torch.randn(2, 3, 32, 32)).square().mean())
    moved = {n for n, p in model.named_parameters() if not p.equal(before[n])}
    assert moved == {name for name, _ in model.named_parameters()}


def test_other_optimizer_is_refused():
    cfg = dict(type='OptimWrapper', constructor='MuonConstructor', optimizer=dict(type='SGD', lr=1))
    with pytest.raises(W2SError, match=r"'SGD'; expected 'MuonWithAdamW'"):
        build_optim_wrapper(Model(), cfg)


def test_unknown_setting_of_a_custom_key_is_named():
    with pytest.raises(W2SError, match=r"custom_keys\['mix'\] has lr; expected any of: lr_mult"):
        build(Model(), dict(custom_keys={'mix': dict(lr=0.1)}))


@pytest.mark.parametrize('name', ['adamw_weight_decay', 'momentum'])
def test_bad_setting_of_the_optimizer_is_named(name):
    with pytest.raises(W2SError, match=rf'optimizer\.{name} is -1; expected'):
        build(Model(), **{name: -1})


def test_model_with_nothing_to_train_is_refused():
    with pytest.raises(W2SError, match='All parameters of Model are frozen'):
        build(Model().requires_grad_(False))
