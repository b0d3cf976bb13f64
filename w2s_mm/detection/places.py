"""Confident priors of a dense head, and their rows in its maps, without flattening the maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from w2s_mm.utils.precision import full_precision

Levels = Sequence[Tensor]


class Places(NamedTuple):
    """R priors of N images, in MMDetection's order: image, level, row, column, anchor.

    Attributes:
        prior: Index of the prior among those of its image, shape (R,).
        levels: Image, anchor, row and column of the priors of each level.
        order: Permutation (R,) that brings the rows of all levels, one level after another, into
            MMDetection's order.
    """

    prior: Tensor
    levels: list[tuple[Tensor, Tensor, Tensor, Tensor]]
    order: Tensor


def confident_places(
    scores: Levels, channels: int, score_thr: float
) -> tuple[Places, Tensor, Tensor]:
    """The priors whose best class score reaches a threshold.

    The maximum over the classes is taken in the layout of the maps, so that only 1 / C of the
    numbers is moved.

    Args:
        scores: Raw class scores, L maps of shape (N, A*C, H, W).
        channels: C.
        score_thr: The threshold, as a probability.

    Returns:
        The priors; the best score of each, (R,); and the largest absolute value of the best logits
        of all priors, a scalar.
    """
    best = torch.cat([_best(m, channels) for m in scores], dim=1)
    score = best.sigmoid()
    image, prior = (score >= score_thr).nonzero(as_tuple=True)
    peak = best.abs().amax() if best.numel() else best.new_zeros(())
    shapes = [tuple(m.shape) for m in scores]
    return places_of(shapes, channels, image, prior), score[image, prior], peak


def _best(scores: Tensor, channels: int) -> Tensor:
    """Highest logit of every prior of a level, (N, A*C, H, W) to (N, H*W*A)."""
    best = scores.unflatten(1, (-1, channels)).amax(2)
    return full_precision(best.permute(0, 2, 3, 1).flatten(1))


def places_of(
    shapes: Sequence[tuple[int, ...]], channels: int, image: Tensor, prior: Tensor
) -> Places:
    """The places of some priors.

    Args:
        shapes: Shapes of the maps of class scores, (N, A*C, H, W) for each level.
        channels: C.
        image: Indices of their images, shape (R,), in ascending order.
        prior: Their indices among the priors of an image, shape (R,), ascending within an image.
    """
    sizes = [shape[1] // channels * shape[2] * shape[3] for shape in shapes]
    ends = torch.tensor(sizes, device=prior.device).cumsum(0)
    level = torch.bucketize(prior, ends, right=True)
    by_level = level.argsort(stable=True)
    counts = level.bincount(minlength=len(sizes)).tolist()
    levels = []
    first = 0
    for rows_of_level, shape, size in zip(by_level.split(counts), shapes, sizes, strict=True):
        place = prior[rows_of_level] - first
        anchors, width = shape[1] // channels, shape[3]
        cell = place // anchors
        levels.append((image[rows_of_level], place % anchors, cell // width, cell % width))
        first += size
    return Places(prior, levels, by_level.argsort())


def grid_cells(places: Places) -> Tensor:
    """Level, row, column and anchor of each prior, shape (R, 4), whatever the size of the maps."""
    cells = [
        torch.stack([torch.full_like(row, level), row, column, anchor], dim=1)
        for level, (_, anchor, row, column) in enumerate(places.levels)
    ]
    return torch.cat(cells)[places.order]


def priors_of(cells: Tensor, shapes: Sequence[tuple[int, ...]], channels: int) -> Tensor:
    """The indices (R,) of priors in maps of these shapes; the reverse of :func:`grid_cells`."""
    level, row, column, anchor = cells.long().unbind(1)
    anchors = torch.tensor([shape[1] // channels for shape in shapes])
    widths = torch.tensor([shape[3] for shape in shapes])
    sizes = torch.tensor([shape[1] // channels * shape[2] * shape[3] for shape in shapes])
    firsts = sizes.cumsum(0) - sizes
    return firsts[level] + (row * widths[level] + column) * anchors[level] + anchor


def rows(maps: Levels, channels: int, places: Places) -> Tensor:
    """The numbers of some priors, L maps of (N, A*channels, H, W) to (R, channels)."""
    found = [
        m.unflatten(1, (-1, channels))[image, anchor, :, row, column]
        for m, (image, anchor, row, column) in zip(maps, places.levels, strict=True)
    ]
    return torch.cat(found)[places.order]


def priors_and_strides(head: Any, scores: Levels, places: Places) -> tuple[Tensor, Tensor]:
    """Anchors (R, 4) or points (R, 2) of some priors, and their strides (R, 1), in pixels."""
    sizes = tuple(tuple(m.shape[-2:]) for m in scores)
    priors, strides = _grid(head.prior_generator, sizes, scores[0].device)
    return priors[places.prior], strides[places.prior]


@lru_cache(maxsize=16)  # one for each size of a batch
def _grid(
    generator: Any, sizes: tuple[tuple[int, ...], ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """All priors of one image and their strides, in MMDetection's order."""
    levels = generator.grid_priors(sizes, device=device)
    strides = [
        level.new_full((len(level), 1), stride[0])
        for level, stride in zip(levels, generator.strides, strict=True)
    ]
    return torch.cat(list(levels)), torch.cat(strides)
