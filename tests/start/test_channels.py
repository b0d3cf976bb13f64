"""The mathematics of duplicated channels, layer by layer in double precision."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from w2s_mm.start.channels import (
    channel_map,
    counts,
    embedding_map,
    flattened_map,
    head_map,
    query_scale,
    split_inputs,
)

WIDTHS = [(4, 4), (4, 8), (4, 10), (6, 7), (8, 20)]


def generator():
    return torch.Generator().manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize(('few', 'many'), WIDTHS)
def test_every_channel_has_duplicates_which_are_neighbours(few, many):
    chosen = channel_map(few, many)
    assert len(chosen) == many and set(chosen.tolist()) == set(range(few))
    assert chosen.tolist() == sorted(chosen.tolist())
    assert counts(chosen).double().reciprocal().sum() == pytest.approx(few)


@pytest.mark.parametrize(('a', 'b', 'c', 'd'), [(4, 8, 6, 12), (4, 10, 8, 20), (4, 6, 2, 3)])
def test_a_concatenation_is_mapped_like_its_parts(a, b, c, d):
    parts = torch.cat([channel_map(a, b), a + channel_map(c, d)])
    assert torch.equal(channel_map(a + c, b + d), parts)


@pytest.mark.parametrize('noise', [0.0, 1.0])
@pytest.mark.parametrize(('few', 'many'), WIDTHS)
def test_split_inputs_keep_the_output(few, many, noise):
    chosen = channel_map(few, many)
    for weight, x, run in (
        (randn(3, few), randn(2, few), functional.linear),
        (randn(3, few, 3, 3), randn(2, few, 5, 5), functional.conv2d),
    ):
        larger = split_inputs(weight, chosen, noise, generator())
        torch.testing.assert_close(run(x[:, chosen], larger), run(x, weight))
    even = weight[:, chosen] / counts(chosen)[:, None, None]
    assert torch.allclose(larger, even) == (noise == 0 or few == many)


def test_flattened_channels_are_mapped_place_by_place():
    x, weight = randn(2, 4, 3, 3), randn(5, 36)
    larger = split_inputs(weight, flattened_map(36, 72, 9), 0.5, generator())
    wide = x[:, channel_map(4, 8)]
    torch.testing.assert_close(
        functional.linear(wide.flatten(1), larger), functional.linear(x.flatten(1), weight)
    )


@pytest.mark.parametrize(('few', 'many'), WIDTHS)
def test_batch_norm_of_duplicates(few, many):
    """In evaluation and in training."""
    chosen, x = channel_map(few, many), randn(4, few, 3, 3)
    small, large = nn.BatchNorm2d(few).double(), nn.BatchNorm2d(many).double()
    nn.init.normal_(small.weight)
    with torch.no_grad():
        for name, value in large.state_dict().items():
            theirs = small.state_dict()[name]
            value.copy_(theirs[chosen] if theirs.ndim else theirs)
    for training in (False, True):
        small.train(training), large.train(training)
        torch.testing.assert_close(large(x[:, chosen]), small(x)[:, chosen])


@pytest.mark.parametrize(('few', 'many', 'lossless'), [(4, 8, True), (4, 12, True), (4, 6, False)])
def test_layer_norm_needs_a_multiple(few, many, lossless):
    chosen, x, weight = channel_map(few, many), randn(5, few), randn(few)
    small = functional.layer_norm(x, (few,), weight)[:, chosen]
    large = functional.layer_norm(x[:, chosen], (many,), weight[chosen])
    assert torch.allclose(large, small) == lossless


@pytest.mark.parametrize(
    ('few', 'many', 'groups', 'lossless'),
    [
        (8, 16, (4, 4), True),
        (8, 24, (4, 4), True),
        (8, 20, (4, 4), False),  # of two channels one has three duplicates, one has two
        (8, 16, (2, 4), False),
    ],
)
def test_group_norm_needs_a_multiple_and_as_many_groups(few, many, groups, lossless):
    chosen, x, weight = channel_map(few, many), randn(2, few, 3, 3), randn(few)
    small = functional.group_norm(x, groups[0], weight)[:, chosen]
    large = functional.group_norm(x[:, chosen], groups[1], weight[chosen])
    assert torch.allclose(large, small) == lossless


@pytest.mark.parametrize(
    ('heads', 'width'),
    [((2, 4), (8, 16)), ((2, 2), (8, 16)), ((2, 3), (8, 18)), ((1, 2), (3, 10))],
)
def test_attention_of_duplicates(heads, width):
    """More heads, larger heads, both, and dimensions with unequally many duplicates."""
    chosen, scale = head_map(heads, width), query_scale(heads, width)
    q, k, v = randn(3, 5, width[0]).unbind()

    def attend(q, k, v, heads):
        q, k, v = (each.reshape(5, heads, -1).transpose(0, 1) for each in (q, k, v))
        return functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1)

    small = attend(q, k, v, heads[0])
    large = attend(scale * q[:, chosen], scale * k[:, chosen], v[:, chosen], heads[1])
    torch.testing.assert_close(large, small[:, chosen])


def sinusoids(channels, steps=1000):
    t = torch.arange(steps, dtype=torch.float64)[:, None]
    half = channels // 2
    rates = torch.exp(-torch.arange(half) * torch.log(torch.tensor(1e4)) / half)
    return torch.cat([torch.cos(t * rates), torch.sin(t * rates)], 1)


def test_the_embedding_of_the_step_is_found_in_one_twice_as_wide():
    few, many = sinusoids(16), sinusoids(32)
    matrix = embedding_map(few, many)
    torch.testing.assert_close(many @ matrix, few, rtol=0, atol=1e-6)
    assert set(matrix.unique().tolist()) == {0.0, 1.0} and matrix.sum() == 16


def test_any_other_embedding_comes_as_near_as_it_can():
    few, many = sinusoids(16), sinusoids(40)
    error = (many @ embedding_map(few, many) - few).square().mean()
    assert error < 0.5 * few.square().mean()
