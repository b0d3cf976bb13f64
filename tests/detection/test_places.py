"""Rows of confident priors, compared with flattening the whole maps."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator, MlvlPointGenerator

from w2s_mm.detection.places import (
    confident_places,
    grid_cells,
    grids_of,
    places_of,
    priors_and_strides,
    priors_of,
    rows,
)
from w2s_mm.utils.precision import full_precision

C, A = 3, 2
SIZES = ((4, 6), (2, 3))


class Head:
    """What :func:`priors_and_strides` needs of a head."""

    def __init__(self, generator):
        self.prior_generator = generator


def maps(channels, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, A * channels, *size, generator=generator).to(dtype) for size in SIZES]


def best(levels):
    """Logits of the best class, as a ScoreCode gives them."""
    return [full_precision(m.unflatten(1, (-1, C)).amax(2)) for m in levels]


def flattened(levels, channels):
    """MMDetection's own order: (N * P, channels)."""
    own = [m.permute(0, 2, 3, 1).reshape(2, -1, channels) for m in levels]
    return torch.cat(own, 1).reshape(-1, channels)


@pytest.mark.parametrize('threshold', [0.0, 0.5, 0.8, 0.999])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
def test_rows_are_those_of_the_flattened_maps_in_the_same_order(threshold, dtype):
    scores, boxes = maps(C, dtype), maps(4, dtype, seed=1)
    places, score, peak = confident_places(best(scores), threshold)
    whole = flattened(scores, C)
    expected = full_precision(whole).amax(-1).sigmoid()
    kept = expected >= threshold
    assert torch.equal(score, expected[kept])
    assert torch.equal(rows(scores, C, places), whole[kept])
    assert torch.equal(rows(boxes, 4, places), flattened(boxes, 4)[kept])
    assert peak == full_precision(whole).amax(-1).abs().max()


def test_gradients_reach_the_places_alone():
    scores = [m.requires_grad_() for m in maps(C)]
    places, _, _ = confident_places(best([m.detach() for m in scores]), 0.7)
    rows(scores, C, places).sum().backward()
    whole = flattened([m.detach() for m in scores], C)
    expected = (whole.amax(-1).sigmoid() >= 0.7).float()[:, None].expand(-1, C)
    assert torch.equal(flattened([m.grad for m in scores], C), expected)


def test_no_confident_prior_gives_no_rows():
    places, score, _ = confident_places(best(maps(C)), 0.9999)
    assert rows(maps(C), C, places).shape == (0, C) and score.shape == (0,)


def test_nan_is_not_confident_and_shows_in_the_peak():
    scores = maps(C)
    scores[1][0, 4, 1, 2] = math.nan
    places, score, peak = confident_places(best(scores), 0.0)
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
    places, _, _ = confident_places(best(scores), 0.0)
    priors, strides = priors_and_strides(Head(generator), scores, places)
    grid = torch.cat(generator.grid_priors(SIZES, device='cpu'))
    assert torch.equal(priors, grid.repeat(2, 1))
    assert strides.unique().tolist() == [8.0, 16.0]
    assert (strides[: anchors * 24] == 8).all() and (strides[anchors * 24 : len(grid)] == 16).all()


def test_cells_are_the_same_places_in_larger_maps():
    scores = maps(C)
    places, _, _ = confident_places(best(scores), 0.6)
    image = torch.arange(2).repeat_interleave(torch.tensor(_counts(scores, 0.6)))
    larger = [torch.nn.functional.pad(m, (0, 3, 0, 2), value=-9.0) for m in scores]
    grids = grids_of(larger, C)
    prior = priors_of(grid_cells(places).to(torch.int16), grids)
    moved = places_of(grids, image, prior)
    assert torch.equal(rows(larger, C, moved), rows(scores, C, places))
    found, _, _ = confident_places(best(larger), 0.6)
    assert torch.equal(found.prior, moved.prior) and torch.equal(found.order, moved.order)
    assert torch.equal(priors_of(grid_cells(places), grids_of(scores, C)), places.prior)


def _counts(scores, threshold):
    score = [m.sigmoid().flatten(1) for m in best(scores)]
    return (torch.cat(score, 1) >= threshold).sum(1).tolist()
