"""Grown networks compute what the smaller ones do, kind by kind; what cannot grow is refused."""

import mmpretrain.models  # noqa: F401  (registers them)
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope

import w2s_mm.detection
import w2s_mm.generation  # noqa: F401
from tests.start.networks import ddpm, resnet, vit
from w2s_mm.hooks.start import blend
from w2s_mm.start import grow, largest_difference, select
from w2s_mm.utils.errors import W2SError

SMALL = {
    'backbone.base_channels': 4,
    'backbone.stem_channels': 4,
    'neck.in_channels': [8, 16],
    'neck.out_channels': 8,
    'bbox_head.in_channels': 8,
    'bbox_head.feat_channels': 8,
}
RCNN_SMALL = {
    **{key: value for key, value in SMALL.items() if not key.startswith('bbox_head')},
    'rpn_head.in_channels': 8,
    'rpn_head.feat_channels': 8,
    'roi_head.bbox_roi_extractor.out_channels': 8,
    'roi_head.bbox_head.in_channels': 8,
}


@pytest.fixture
def build():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield lambda config: MODELS.build(ConfigDict(config))


def trained(model):
    """Every weight and statistic is something: no layer that begins at zero hides another."""
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.05)
    for name, buffer in model.named_buffers():
        if name.endswith(('running_mean', 'running_var')):
            buffer.add_(torch.rand_like(buffer), alpha=0.3)
    return model


def grown(build, ours, theirs, shape, noise=0.5, parts=None):
    student, source = build(ours), trained(build(theirs))
    values = grow(student, source, select(student, 'grow', parts), (), noise)
    blend(student, values)
    return largest_difference(student, source, shape), student, values


@pytest.mark.parametrize('noise', [0.0, 1.0])
@pytest.mark.parametrize(
    ('ours', 'theirs'),
    [
        (resnet(18, 8), resnet(18, 4)),
        (resnet(34, 6), resnet(18, 4)),  # deeper, and 1.5 times as wide
        (resnet(50, 5), resnet(50, 4)),
        (vit(48, 3, 4), vit(24, 2, 2)),  # more heads
        (vit(48, 3, 2), vit(24, 2, 2)),  # larger heads
    ],
)
def test_classifiers_grow_without_loss(build, ours, theirs, noise):
    difference, _, _ = grown(build, ours, theirs, (3, 32, 32), noise)
    assert difference.lossless, difference.describe()
    assert difference.largest < 1e-6 and difference.scale > 1e-2


@pytest.mark.parametrize(
    ('few', 'many'),
    [
        ((64, 1), (64, 3)),
        pytest.param((64, 2), (128, 3), marks=pytest.mark.slow),  # as nc64-rb2 and nc128-rb3
    ],
)
def test_a_unet_grows_without_loss(build, few, many):
    """Group norms of 32 groups, attention, concatenations, and the embedding of the step."""
    difference, _, _ = grown(build, ddpm(*many), ddpm(*few), (1, 8, 8))
    assert difference.lossless, difference.describe()
    assert difference.scale > 1e-2


def test_other_groups_or_no_multiple_are_not_called_lossless(build):
    for few, many, shape in (
        (ddpm(16, 1), ddpm(32, 1), (1, 8, 8)),  # 4 and 8 groups
        (vit(24, 2, 2), vit(36, 2, 3), (3, 32, 32)),  # layer norm, 1.5 times as wide
    ):
        difference, _, _ = grown(build, many, few, shape)
        assert not difference.lossless and difference.largest > 1e-3
        assert 'not lossless: the outputs differ' in difference.describe()


def test_a_dense_detector_grows_without_loss(build, retinanet):
    difference, _, _ = grown(build, retinanet(), retinanet(SMALL), (3, 64, 64))
    assert difference.lossless and difference.scale > 0.1, difference.describe()


def test_a_two_stage_detector_grows_without_loss(build, faster_rcnn):
    """Its box head reads flattened features."""
    difference, _, _ = grown(build, faster_rcnn(), faster_rcnn(RCNN_SMALL), (3, 64, 64))
    assert difference.lossless and difference.scale > 0.1, difference.describe()


def test_duplicates_learn_different_things(build):
    """With an even split they get equal gradients for ever."""
    for noise, equal in ((0.0, True), (0.5, False)):
        _, student, _ = grown(build, resnet(18, 8), resnet(18, 4), (3, 32, 32), noise)
        images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])
        torch.nn.functional.cross_entropy(student(images, mode='tensor'), labels).backward()
        gradient = student.backbone.conv1.weight.grad
        assert torch.allclose(gradient[0::2], gradient[1::2], atol=1e-7) == equal


def test_additional_blocks_can_learn(build):
    _, student, values = grown(build, resnet(34, 4), resnet(18, 4), (3, 32, 32))
    block = student.backbone.layer1[2]
    assert 'backbone.layer1.2.bn2.weight' in values
    assert 'backbone.layer1.2.conv1.weight' not in values and block.conv1.weight.abs().sum() > 0
    student(torch.randn(2, 3, 32, 32), mode='tensor').square().sum().backward()
    assert block.bn2.weight.grad.abs().sum() > 0


def test_a_start_is_the_same_twice_and_draws_no_random_numbers(build):
    student, source = build(resnet(18, 8)), trained(build(resnet(18, 4)))
    before = torch.get_rng_state()
    values = [grow(student, source, select(student, 'grow', None), (), 0.5) for _ in range(2)]
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(values[0][name], values[1][name]) for name in values[0])


def test_stages_can_be_grown_alone(build):
    """Where the student has one more than the source."""
    shorter = dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))
    stages = [f'backbone.{name}' for name in ('conv1', 'bn1', 'layer1', 'layer2', 'layer3')]
    small = resnet(18, 4, **shorter)
    small['head']['in_channels'] = 16
    difference, _, values = grown(build, resnet(18, 8), small, (3, 32, 32), parts=stages)
    assert {name.split('.')[1] for name in values} == {name.split('.')[1] for name in stages}
    assert not difference.lossless
    with pytest.raises(W2SError, match=r'only the student has backbone\.layer4'):
        grown(build, resnet(18, 8), small, (3, 32, 32))


def test_class_layers_are_left_out(build, retinanet):
    other = retinanet({**SMALL, 'bbox_head.num_classes': 5})
    student, source = build(retinanet()), build(other)
    names = frozenset({'bbox_head.retina_cls.weight', 'bbox_head.retina_cls.bias'})
    values = grow(student, source, select(student, 'grow', None), names)
    assert values.keys() == student.state_dict().keys() - names


@pytest.mark.parametrize(
    ('ours', 'theirs', 'message'),
    [
        (resnet(18, 4), resnet(18, 8), r'backbone.conv1.weight: \(4, .* student, \(8, .* source'),
        (resnet(50, 4), resnet(18, 4), 'is a Bottleneck in the student and a BasicBlock in the'),
        (resnet(18, 8), vit(24, 2, 2), 'is a ResNet_CIFAR .* and a VisionTransformer'),
        (resnet(18, 4), resnet(34, 4), 'only the source has backbone.layer1.2'),
        (ddpm(32, 1, 8), ddpm(32, 1, 16), 'only the source has unet.down_blocks.2'),
        (
            resnet(18, 8, strides=(1, 1, 2, 2)),
            resnet(18, 4),
            r'layer2.0.conv1.stride is \(1, 1\) in the student and \(2, 2\) in the source',
        ),
    ],
)
def test_what_cannot_grow_is_refused(build, ours, theirs, message):
    with pytest.raises(W2SError, match=message):
        grown(build, ours, theirs, (3, 32, 32))
