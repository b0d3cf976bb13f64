"""Old spellings are named with their new ones, all in one message."""

import pytest
from mmengine.config import Config

from w2s_mm.commands.cli import read_checked
from w2s_mm.commands.old_settings import refuse_old_settings
from w2s_mm.utils.errors import W2SError


def config(head=None, **hook):
    return Config(
        {
            'model': {'type': 'W2SNet', 'distill_head': head or {'type': 'LogitDistillHead'}},
            'default_hooks': {'any_name': {'type': 'WeakToStrongHook', 'metric': 'm', **hook}},
        }
    )


@pytest.mark.parametrize(
    ('cfg', 'old', 'new'),
    [
        (config(k=3), 'k of WeakToStrongHook', "stop=dict(type='SurpassGate', k=3)"),
        (
            config(
                temperature={'start': 6, 'end': 1},
                schedule={'unit': 'training', 'warmup': 0.1, 'hold': 0.2, 'decay': 0.05},
            ),
            'temperature of WeakToStrongHook without a length',
            "temperature=dict(start=6, end=1, length=0.35, unit='training')",
        ),
        (
            config({'type': 'DenseDistillHead', 'loss_cls': {'type': 'L', 'score_thr': 0.1}}),
            'model.distill_head.loss_cls.score_thr',
            'model.distill_head.score_thr=0.1',
        ),
        (
            config({'type': 'RoIDistillHead', 'loss_bbox': {'type': 'BoxDistillLoss'}}),
            'model.distill_head.loss_bbox of type BoxDistillLoss',
            "box_form='encoded', loss_bbox=dict(type='mmdet.L1Loss', ...)",
        ),
        (
            config([{'type': 'D', 'loss_bbox': {'type': 'BoxDistillLoss', 'mode': 'giou'}}]),
            'model.distill_head.0.loss_bbox of type BoxDistillLoss',
            "box_form='corners', loss_bbox=dict(type='mmdet.GIoULoss', ...)",
        ),
        (
            config({'type': 'RoIDistillHead', 'loss_cls': {'type': 'SoftmaxKLDistillLoss'}}),
            'model.distill_head.loss_cls of type SoftmaxKLDistillLoss',
            'KLDistillLoss',
        ),
        (
            config({'type': 'LogitDistillHead', 'reverse': True}),
            'model.distill_head.reverse',
            "loss=dict(type='KLDistillLoss', reverse=True)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_an_old_setting_is_named_with_its_new_spelling(cfg, old, new):
    with pytest.raises(W2SError, match=r'^mine\.py has settings of an earlier') as refused:
        refuse_old_settings(cfg, 'mine.py')
    assert f'\n  {old} is now: {new}' in str(refused.value)


def test_all_of_them_are_in_one_message():
    with pytest.raises(W2SError) as refused:
        refuse_old_settings(config({'type': 'LogitDistillHead', 'reverse': False}, k=2), 'mine.py')
    assert str(refused.value).count('is now') == 2


@pytest.mark.parametrize(
    'cfg',
    [
        config(temperature=2.0, stop={'type': 'SurpassGate', 'k': 2}),
        config(temperature={'start': 6}, schedule={'warmup': 1, 'hold': 1, 'decay': 1}),
        config(temperature={'start': 6, 'end': 1, 'length': 0.3, 'unit': 'training'}),
        Config({'model': {'type': 'RetinaNet'}}),
        Config({}),
    ],
    ids=['stop', 'constant', 'ramp', 'no teacher', 'no model'],
)
def test_present_settings_pass(cfg):
    refuse_old_settings(cfg, 'mine.py')


@pytest.mark.parametrize(
    ('old', 'new'), [('w2s_hooks', '_base_.w2s.hooks'), ('distill_head', '_base_.w2s.distill_head')]
)
def test_what_a_base_offered_by_another_name_is_explained(tmp_path, old, new):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = 'w2s_mm::_base_/w2s_classification.py'\nmine = _base_.{old}\n")
    with pytest.raises(W2SError, match=rf'_base_\.{old} is now: {new}'):
        read_checked(str(path))


def test_a_name_that_no_base_ever_had_keeps_its_error(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = 'w2s_mm::_base_/w2s_classification.py'\nmine = _base_.nothing\n")
    with pytest.raises(AttributeError, match='nothing'):
        read_checked(str(path))
