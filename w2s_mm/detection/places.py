"""Confident priors of a dense head, and their rows in its maps, without flattening the maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

Levels = Sequence[Tensor]
Grids = Sequence[tuple[int, ...]]  # (N, A, H, W) of each level


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


def confident_places(best: Levels, score_thr: float) -> tuple[Places, Tensor, Tensor]:
    """The priors whose best class reaches a threshold.

    Args:
        best: Logits of the best class of every prior, L maps of shape (N, A, H, W).
        score_thr: The threshold, as a probability.

    Returns:
        The priors; the best score of each, (R,); and the largest absolute value of the best logits
        of all priors, a scalar.
    """
    logits = torch.cat([m.permute(0, 2, 3, 1).flatten(1) for m in best], dim=1)
    score = logits.sigmoid()
    image, prior = (score >= score_thr).nonzero(as_tuple=True)
    peak = logits.abs().amax() if logits.numel() else logits.new_zeros(())
    return places_of(grids_of(best, 1), image, prior), score[image, prior], peak


def grids_of(maps: Levels, channels: int) -> Grids:
    """Grids of priors of L maps of shape (N, A*channels, H, W)."""
    return [(len(m), m.shape[1] // channels, *m.shape[2:]) for m in maps]


def places_of(grids: Grids, image: Tensor, prior: Tensor) -> Places:
    """The places of some priors.

    Args:
        grids: Result of :func:`grids_of`.
        image: Indices of their images, shape (R,), in ascending order.
        prior: Their indices among the priors of an image, shape (R,), ascending within an image.
    """
    sizes = [anchors * height * width for _, anchors, height, width in grids]
    ends = torch.tensor(sizes, device=prior.device).cumsum(0)
    level = torch.bucketize(prior, ends, right=True)
    by_level = level.argsort(stable=True)
    counts = level.bincount(minlength=len(sizes)).tolist()
    levels = []
    first = 0
    for rows_of_level, grid, size in zip(by_level.split(counts), grids, sizes, strict=True):
        place = prior[rows_of_level] - first
        _, anchors, _, width = grid
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


def priors_of(cells: Tensor, grids: Grids) -> Tensor:
    """The indices (R,) of priors in these grids; the reverse of :func:`grid_cells`."""
    level, row, column, anchor = cells.long().unbind(1)
    anchors, heights, widths = torch.tensor([grid[1:] for grid in grids]).unbind(1)
    sizes = anchors * heights * widths
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
