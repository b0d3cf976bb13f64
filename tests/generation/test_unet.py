import pytest
import torch
from diffusers.models.attention_processor import Attention

from w2s_mm.generation.unet import improved_ddpm_unet
from w2s_mm.utils.errors import W2SError

TINY = dict(channels=8, blocks=1, image_size=8, in_channels=1, dropout=0.0)


def tiny(**changes):
    return improved_ddpm_unet(**{**TINY, **changes})


def parameters(channels, blocks, image_size=32):
    with torch.device('meta'):  # counted, not allocated
        unet = improved_ddpm_unet(channels, blocks, image_size)
    return sum(parameter.numel() for parameter in unet.parameters())


def counted_by_hand(c, blocks):
    """Parameters of the paper's CIFAR-10 network, from its description alone."""
    widths = [c, 2 * c, 2 * c, 2 * c]
    attends = [False, True, True, False]

    def conv(a, b, size):
        return a * b * size**2 + b

    def residual(a, b):
        norms = 2 * a + 2 * b
        step = conv(4 * c, 2 * b, 1)  # scale and shift
        shortcut = conv(a, b, 1) if a != b else 0
        return norms + conv(a, b, 3) + step + conv(b, b, 3) + shortcut

    def attention(a):
        return 2 * a + 4 * conv(a, a, 1)

    total = conv(c, 4 * c, 1) + conv(4 * c, 4 * c, 1) + conv(3, c, 3)
    skips, width = [c], c
    for level, wide in enumerate(widths):
        for _ in range(blocks):
            total += residual(width, wide) + (attention(wide) if attends[level] else 0)
            width = wide
            skips.append(width)
        if level < 3:
            total += conv(width, width, 3)  # down
            skips.append(width)
    total += 2 * residual(width, width) + attention(width)
    for level in (3, 2, 1, 0):
        for _ in range(blocks + 1):
            total += residual(width + skips.pop(), widths[level])
            total += attention(widths[level]) if attends[level] else 0
            width = widths[level]
        if level > 0:
            total += conv(width, width, 3)  # up
    return total + 2 * c + conv(c, 6, 3)


@pytest.mark.parametrize(
    ('channels', 'blocks', 'count'),
    [
        (64, 1, 6_691_654),
        (64, 2, 9_926_790),
        (64, 3, 13_161_926),
        (128, 3, 52_546_438),  # improved DDPM's CIFAR-10 model is said to have 52.5 million
        (160, 3, 82_072_166),
    ],
)
def test_parameters_are_as_many_as_the_papers_description_has(channels, blocks, count):
    assert parameters(channels, blocks) == counted_by_hand(channels, blocks) == count


def test_the_layout_at_32_px_is_the_papers():
    with torch.device('meta'):
        unet = improved_ddpm_unet(128, 3, 32)
    config = unet.config
    assert config.block_out_channels == (128, 256, 256, 256)
    attends = ['Attn' in block for block in config.down_block_types]
    assert attends == [False, True, True, False]  # 32, 16, 8, 4 px
    assert ['Attn' in block for block in config.up_block_types] == attends[::-1]
    assert (config.in_channels, config.out_channels, config.sample_size) == (3, 6, 32)
    assert (config.layers_per_block, config.dropout) == (3, 0.3)
    assert config.resnet_time_scale_shift == 'scale_shift'
    layers = [module for module in unet.modules() if isinstance(module, Attention)]
    assert len(layers) == 2 * 3 + 1 + 2 * 4  # down, middle, up
    assert all(layer.heads == 4 and layer.group_norm is not None for layer in layers)


@pytest.mark.parametrize('size', [8, 16, 32])
@pytest.mark.parametrize(('learned', 'out'), [(True, 2), (False, 1)])
def test_output_has_the_images_size_and_the_variance_if_learned(size, learned, out):
    unet = tiny(image_size=size, learned_variance=learned)
    x = torch.randn(2, 1, size, size)
    assert unet(x, torch.tensor([0, 3999])).sample.shape == (2, out, size, size)


def test_at_8_px_there_are_two_resolutions_and_attention_on_the_larger():
    config = tiny().config
    assert config.block_out_channels == (8, 16)
    assert config.down_block_types == ('AttnDownBlock2D', 'DownBlock2D')


def test_other_sizes_take_given_multipliers():
    unet = tiny(image_size=28, multipliers=(1, 2, 3), attention=(14,))
    assert unet.config.down_block_types == ('DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D')
    assert unet(torch.randn(1, 1, 28, 28), 5).sample.shape == (1, 2, 28, 28)


def test_a_fresh_network_answers_0_and_every_weight_can_still_learn():
    unet = tiny()
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 900])
    assert unet(x, t).sample.count_nonzero() == 0
    optimizer = torch.optim.SGD(unet.parameters(), lr=0.1)
    for _ in range(4):  # what begins at zero lets gradients through one layer later each time
        optimizer.zero_grad()
        ((unet(x, t).sample - 1) ** 2).mean().backward()
        optimizer.step()
    still = [name for name, p in unet.named_parameters() if p.grad.count_nonzero() == 0]
    assert not [name for name in still if not name.endswith('to_k.bias')]  # softmax ignores it


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'channels': 12}, 'channels is 12; expected a multiple of 8 below 64'),
        ({'channels': 72}, 'channels is 72; .* multiple of 32'),
        ({'channels': 0}, 'channels is 0'),
        ({'blocks': 0}, 'blocks is 0; expected a whole number of at least 1'),
        ({'in_channels': 0}, 'in_channels is 0'),
        ({'dropout': 1.0}, 'dropout is 1.0; expected'),
        ({'image_size': 28}, r'No U-Net layout .* 28 px \(known: 32, 16, 8\)'),
        ({'image_size': 10, 'multipliers': (1, 2, 2)}, 'is 10, .* halve it 2 times; .* of 4'),
        ({'multipliers': ()}, 'multipliers is'),
        ({'multipliers': (1, 0)}, 'multipliers is'),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    with pytest.raises(W2SError, match=message):
        tiny(**changes)
