import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

import w2s_mm.classification  # noqa: F401  (registers the backbones)
from w2s_mm.utils.errors import W2SError

PAPER = [  # depth, growth rate, bottleneck, channels, millions of parameters (its Table 2)
    (40, 12, False, 448, 1.0),
    (100, 12, False, 1168, 7.0),
    (100, 12, True, 342, 0.8),
]
EXACT = [1_019_722, 6_979_642, 769_162]  # with a classifier of 10 classes


def build(**settings):
    return MODELS.build(dict(type='CIFARDenseNet', **settings))


def size(model):
    return sum(parameter.numel() for parameter in model.parameters())


def size_and_channels(depth, k, bottleneck):
    """In closed form, from the layout of the paper.

    A block of n layers that starts with c channels has layers of c, c + k, ..., c + (n-1) k input
    channels, together s. Batch norms have two parameters a channel, convolutions no bias.
    """
    n = (depth - 4) // (6 if bottleneck else 3)
    c = 2 * k if bottleneck else 16
    total = 3 * 9 * c
    for block in range(3):
        s = n * c + k * n * (n - 1) // 2
        total += 2 * s + (4 * k * s + n * (2 * 4 * k + 9 * 4 * k * k) if bottleneck else 9 * k * s)
        c += n * k
        total += 2 * c  # batch norm of the transition, or the last one
        if block < 2:
            kept = c // 2 if bottleneck else c
            total, c = total + c * kept, kept
    return total, c


@pytest.mark.parametrize(('row', 'exact'), list(zip(PAPER, EXACT, strict=True)))
def test_size_is_that_of_the_paper(row, exact):
    depth, growth_rate, bottleneck, channels, millions = row
    model = build(depth=depth, growth_rate=growth_rate, bottleneck=bottleneck)
    assert (size(model), model.out_channels) == size_and_channels(depth, growth_rate, bottleneck)
    assert model.out_channels == channels
    with_classifier = size(model) + 10 * channels + 10
    assert with_classifier == exact
    assert round(with_classifier / 1e6, 1) == millions


@pytest.mark.parametrize('bottleneck', [False, True])
def test_maps_are_32_16_and_8_pixels(bottleneck):
    model = build(depth=10, growth_rate=4, bottleneck=bottleneck)
    sides = []
    for stage in model.stages:
        stage.register_forward_hook(lambda module, args, out: sides.append(out.shape[-1]))
    (last,) = model(torch.randn(2, 3, 32, 32))
    assert sides == [32, 16, 8]
    assert last.shape == (2, model.out_channels, 8, 8)


@pytest.mark.parametrize('bottleneck', [False, True])
def test_every_layer_sees_all_earlier_ones_of_its_block_unchanged(bottleneck):
    model = build(depth=16, growth_rate=4, bottleneck=bottleneck)
    model.eval()
    block = model.stages[0]
    x = torch.randn(1, model.init_channels, 8, 8)
    out = block(x)
    assert out[:, : x.shape[1]].equal(x)
    layers = [layer.conv1.in_channels for layer in block.block]
    assert layers == [model.init_channels + 4 * i for i in range(len(layers))]
    expected = block.block[1]([out[:, : model.init_channels + 4]])
    torch.testing.assert_close(out[:, model.init_channels + 4 :][:, :4], expected)


def test_compression_factor_sets_what_a_transition_keeps():
    model = build(depth=10, growth_rate=5, bottleneck=False, compression_factor=0.7)
    assert model.transitions[0].conv.in_channels == 16 + 2 * 5
    assert model.transitions[0].conv.out_channels == 18  # the floor of 18.2


def test_weights_start_as_in_he_et_al():
    model = build(depth=40)
    model.init_weights()
    weight = model.stages[2].block[-1].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 12)) ** 0.5, rel=0.02)
    assert model.transitions[-1][0].weight.eq(1).all()


def test_classifier_of_mmpretrain_trains_with_it():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        backbone = dict(type='CIFARDenseNet', depth=10, growth_rate=4)
        channels = MODELS.build(backbone).out_channels
        model = MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=backbone,
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', num_classes=3, in_channels=channels),
            )
        )
    logits = model(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 3)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(depth=41), r'backbone\.depth is 41; expected 3 n \+ 4 with bottleneck=False'),
        (dict(depth=37, bottleneck=True), r'depth is 37; expected 6 n \+ 4'),
        (dict(depth=4), 'depth is 4;'),
        (dict(depth=40, growth_rate=0), 'growth_rate is 0'),
        (dict(depth=40, compression_factor=1.5), r'compression_factor is 1\.5'),
    ],
)
def test_bad_argument_is_named(settings, message):
    with pytest.raises(W2SError, match=message):
        build(**settings)
