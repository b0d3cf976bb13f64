"""Rows of confident priors, compared with flattening the whole maps."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator, MlvlPointGenerator

from w2s_mm.detection.places import (
    confident_places,
    grid_cells,
    places_of,
    priors_and_strides,
    priors_of,
    rows,
)

C, A = 3, 2
SIZES = ((4, 6), (2, 3))


class Head:
    """What :func:`priors_and_strides` needs of a head."""

    def __init__(self, generator):
        self.prior_generator = generator


def maps(channels, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, A * channels, *size, generator=generator).to(dtype) for size in SIZES]


def flattened(levels, channels):
    """MMDetection's own order: (N * P, channels)."""
    own = [m.permute(0, 2, 3, 1).reshape(2, -1, channels) for m in levels]
    return torch.cat(own, 1).reshape(-1, channels)


@pytest.mark.parametrize('threshold', [0.0, 0.5, 0.8, 0.999])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
def test_rows_are_those_of_the_flattened_maps_in_the_same_order(threshold, dtype):
    scores, boxes = maps(C, dtype), maps(4, dtype, seed=1)
    places, score, peak = confident_places(scores, C, threshold)
    whole = flattened(scores, C)
    best = whole.float().amax(-1).sigmoid() if dtype != torch.float64 else whole.amax(-1).sigmoid()
    kept = best >= threshold
    assert torch.equal(score, best[kept])
    assert torch.equal(rows(scores, C, places), whole[kept])
    assert torch.equal(rows(boxes, 4, places), flattened(boxes, 4)[kept])
    assert peak == whole.to(best.dtype).amax(-1).abs().max()


def test_gradients_reach_the_places_alone():
    scores = [m.requires_grad_() for m in maps(C)]
    places, _, _ = confident_places([m.detach() for m in scores], C, 0.7)
    rows(scores, C, places).sum().backward()
    whole = flattened([m.detach() for m in scores], C)
    expected = (whole.amax(-1).sigmoid() >= 0.7).float()[:, None].expand(-1, C)
    assert torch.equal(flattened([m.grad for m in scores], C), expected)


def test_no_confident_prior_gives_no_rows():
    places, score, _ = confident_places(maps(C), C, 0.9999)
    assert rows(maps(C), C, places).shape == (0, C) and score.shape == (0,)


def test_nan_is_not_confident_and_shows_in_the_peak():
    scores = maps(C)
    scores[1][0, 4, 1, 2] = math.nan
    places, score, peak = confident_places(scores, C, 0.0)
    assert len(score) == 2 * A * (24 + 6) - 1 and torch.isnan(peak)
    assert rows(scores, C, places).isfinite().all()


@pytest.mark.parametrize(
    'generator',
    [
        AnchorGenerator(strides=[8, 16], ratios=[0.5, 2.0], scales=[2]),
        MlvlPointGenerator(strides=[8, 16], offset=0.5),
    ],
    ids=['anchors', 'points'],
)
def test_priors_are_mmdetections(generator):
    anchors = generator.num_base_priors[0]
    scores = [m[:, : C * anchors] for m in maps(C)]
    places, _, _ = confident_places(scores, C, 0.0)
    priors, strides = priors_and_strides(Head(generator), scores, places)
    grid = torch.cat(generator.grid_priors(SIZES, device='cpu'))
    assert torch.equal(priors, grid.repeat(2, 1))
    assert strides.unique().tolist() == [8.0, 16.0]
    assert (strides[: anchors * 24] == 8).all() and (strides[anchors * 24 : len(grid)] == 16).all()


def test_cells_are_the_same_places_in_larger_maps():
    scores = maps(C)
    places, _, _ = confident_places(scores, C, 0.6)
    image = torch.arange(2).repeat_interleave(torch.tensor(_counts(scores, 0.6)))
    larger = [torch.nn.functional.pad(m, (0, 3, 0, 2), value=-9.0) for m in scores]
    shapes = [tuple(m.shape) for m in larger]
    prior = priors_of(grid_cells(places).to(torch.int16), shapes, C)
    moved = places_of(shapes, C, image, prior)
    assert torch.equal(rows(larger, C, moved), rows(scores, C, places))
    found, _, _ = confident_places(larger, C, 0.6)
    assert torch.equal(found.prior, moved.prior) and torch.equal(found.order, moved.order)
    same = [tuple(m.shape) for m in scores]
    assert torch.equal(priors_of(grid_cells(places), same, C), places.prior)


def _counts(scores, threshold):
    best = [m.unflatten(1, (A, C)).amax(2).sigmoid().flatten(1) for m in scores]
    return (torch.cat(best, 1) >= threshold).sum(1).tolist()
