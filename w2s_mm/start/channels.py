"""Which channel of a smaller layer each channel of a larger one duplicates, and the weights."""

from __future__ import annotations

import torch
from torch import Tensor


def channel_map(few: int, many: int) -> Tensor:
    """The channel of the smaller layer that each of ``many`` channels duplicates.

    Channel ``i`` duplicates ``floor(i * few / many)``. The map depends on the two numbers alone, so
    that both sides of a residual connection agree. Duplicates are neighbours, so that a
    concatenation of parts that grow by the same factor is mapped like the parts, a group of a group
    norm keeps its channels, and ``chunk`` cuts where it did.

    Args:
        few: Channels of the smaller layer.
        many: Channels of the larger layer, at least as many.

    Returns:
        Indices below ``few``, shape (many,).
    """
    return torch.arange(many) * few // many


def flattened_map(few: int, many: int, area: int) -> Tensor:
    """:func:`channel_map` of channels that were flattened with ``area`` places each.

    Args:
        few: Inputs of the smaller layer, a multiple of ``area``.
        many: Inputs of the larger layer, a multiple of ``area``.
        area: Places of a feature map.
    """
    channels = channel_map(few // area, many // area)
    return (channels[:, None] * area + torch.arange(area)).flatten()


def head_map(heads: tuple[int, int], channels: tuple[int, int]) -> Tensor:
    """The map of an attention's channels, which are grouped by head.

    Args:
        heads: Heads of the smaller and of the larger attention.
        channels: Their channels, of all heads together.
    """
    (few_heads, many_heads), (few, many) = heads, channels
    size = few // few_heads
    inside = channel_map(size, many // many_heads)
    return (channel_map(few_heads, many_heads)[:, None] * size + inside).flatten()


def counts(chosen: Tensor) -> Tensor:
    """For each channel of the larger layer, how many are duplicates of the same one."""
    return torch.bincount(chosen)[chosen]


def query_scale(heads: tuple[int, int], channels: tuple[int, int]) -> Tensor:
    """Factor on each row of a query and of a key, with which duplicates keep ``q k / sqrt(d)``.

    A dimension that is duplicated n times adds n equal products to ``q k``, and the larger head
    divides by the root of its own size.

    Args:
        heads: See :func:`head_map`.
        channels: See :func:`head_map`.
    """
    few, many = (c // h for h, c in zip(heads, channels, strict=True))
    inside = counts(channel_map(few, many)).double() ** -0.5 * (many / few) ** 0.25
    return inside.repeat(heads[1])


def split_inputs(
    weight: Tensor, chosen: Tensor, noise: float, generator: torch.Generator
) -> Tensor:
    """Duplicate the inputs of a layer so that equal inputs give the same output.

    The weights of the duplicates of an input add up to that input's weight. Net2Net (arXiv
    1511.05641) splits it evenly. An uneven split breaks the symmetry of the duplicates and loses
    nothing (LEMON, arXiv 2310.07999).

    Args:
        weight: Weight of the smaller layer, shape (outputs, inputs, ...).
        chosen: Map of the inputs.
        noise: Standard deviation of the split, as a part of the even share.
        generator: Source of the split.

    Returns:
        A weight of shape (outputs, len(chosen), ...).
    """
    many = counts(chosen)
    uneven = torch.randn(len(weight), len(chosen), generator=generator, dtype=weight.dtype)
    sums = weight.new_zeros(len(weight), int(chosen.max()) + 1)
    mean = sums.index_add(1, chosen, uneven)[:, chosen] / many
    share = (1 + noise * (uneven - mean)) / many
    return weight[:, chosen] * share.reshape(*share.shape, *[1] * (weight.ndim - 2))


def embedding_map(few: Tensor, many: Tensor) -> Tensor:
    """The matrix A for which ``many @ A`` is ``few``, or comes nearest to it.

    Args:
        few: The features of the smaller embedding at every step, shape (T, D).
        many: Those of the larger embedding, shape (T, E).

    Returns:
        Shape (E, D). Where each feature of the smaller embedding is one of the larger, as with
        sinusoids and twice the channels, it selects them; else it is the least-squares solution.
    """
    distance = torch.stack([(many - column[:, None]).abs().amax(0) for column in few.T])  # (D, E)
    nearest = distance.min(1)
    if bool((nearest.values < 1e-6).all()):
        chosen = torch.zeros(many.shape[1], few.shape[1], dtype=few.dtype)
        chosen[nearest.indices, torch.arange(few.shape[1])] = 1
        return chosen
    return torch.linalg.lstsq(many, few, rcond=1e-6, driver='gelsd').solution
