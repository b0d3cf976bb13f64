"""Tiny image classifiers and batches; the fixtures of the detectors, under the same names."""

import copy

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope

NUM_CLASSES = 5
CLASSIFIER = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        num_classes=NUM_CLASSES,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        stem_channels=4,
        base_channels=4,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='StackedLinearClsHead',  # has dropout, which would show a drift of random numbers
        num_classes=NUM_CLASSES,
        in_channels=8,
        mid_channels=[8],
        dropout_rate=0.2,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)


@pytest.fixture
def classifier():
    """``classifier(changes)``: config of a tiny classifier, changed at the dotted keys.

    What has a ``type`` of its own replaces all that is there.
    """

    def config(changes=None):
        wrapped = Config({'model': copy.deepcopy(CLASSIFIER)})
        for key, value in (changes or {}).items():
            if isinstance(value, dict) and 'type' in value:
                value = {'_delete_': True, **value}
            wrapped.merge_from_dict({f'model.{key}': value})
        return wrapped.to_dict()['model']

    return config


@pytest.fixture
def build():
    """``build(config)``: a model; the test runs as with ``default_scope='mmpretrain'``."""
    import w2s_mm.classification  # noqa: F401  (registers the student)

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield lambda config: MODELS.build(ConfigDict(copy.deepcopy(config)))


@pytest.fixture
def save_teacher(build, tmp_path):
    """``save_teacher(config)``: the ``teacher`` arguments of a student; weights in a file."""

    def arguments(config, seed=1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = build(config)
            for parameter in model.parameters():
                parameter.data.add_(torch.randn_like(parameter), alpha=0.2)
            for name, buffer in model.named_buffers():
                if name.endswith(('running_mean', 'running_var')):
                    buffer.add_(torch.rand_like(buffer), alpha=0.1)
        path = tmp_path / f'teacher_{len(list(tmp_path.iterdir()))}.pth'
        torch.save({'state_dict': model.state_dict()}, path)
        return {'config': config, 'checkpoint': str(path)}

    return arguments


@pytest.fixture
def make_student(classifier, build, save_teacher):
    """``make_student(...)``: a tiny distilled classifier in training mode."""

    def student(changes=None, teacher=None, distill_head=None, **kwargs):
        teacher = teacher or save_teacher(classifier())
        torch.manual_seed(0)
        return build(
            {
                **classifier(changes),
                'type': 'W2SImageClassifier',
                'teacher': teacher,
                'distill_head': {'type': 'LogitDistillHead', **(distill_head or {})},
                **kwargs,
            }
        ).train()

    return student


@pytest.fixture
def make_batch():
    """``make_batch(model, ...)``: inputs and data samples as the model's ``loss`` takes them."""
    from mmpretrain.structures import DataSample

    def batch(model, size=4, side=16, training=True, seed=0):
        generator = torch.Generator().manual_seed(seed)
        images = torch.randint(
            0, 256, (size, 3, side, side), dtype=torch.uint8, generator=generator
        )
        samples = [DataSample().set_gt_label(i % NUM_CLASSES) for i in range(size)]
        data = model.data_preprocessor({'inputs': images, 'data_samples': samples}, training)
        return data['inputs'], data['data_samples']

    return batch
