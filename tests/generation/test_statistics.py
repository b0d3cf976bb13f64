import numpy as np
import pytest
import torch

from w2s_mm.generation.statistics import FeatureStatistics, frechet_distance


def features(count, dim, seed=0, shift=0.0):
    """Correlated features (N, D), in single precision, as a network gives them."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(dim, dim, generator=generator)
    return torch.randn(count, dim, generator=generator) @ mix + 3 + shift


def gathered(x, batch):
    statistics = FeatureStatistics(x.shape[1])
    for part in x.split(batch):
        statistics.update(part)
    return statistics


@pytest.mark.parametrize('batch', [1, 7, 50])
def test_streamed_mean_and_covariance_are_numpys_in_double_precision(batch):
    x = features(50, 6)
    statistics = gathered(x, batch)
    assert statistics.count == 50 and statistics.dim == 6
    np.testing.assert_allclose(statistics.mean, x.double().numpy().mean(0), rtol=1e-13)
    expected = np.cov(x.double().numpy(), rowvar=False)
    np.testing.assert_allclose(statistics.covariance, expected, rtol=1e-11)


def test_features_are_not_kept():
    statistics = FeatureStatistics(4)
    sizes = []
    for _ in range(3):
        statistics.update(torch.randn(100, 4))
        sizes.append(sum(t.numel() for t in vars(statistics).values()))
    assert sizes == [25, 25, 25]


def test_distance_of_gaussians_with_diagonal_covariances_is_the_closed_form():
    mean, other = torch.tensor([[1.0, 2.0, 3.0], [0.0, 2.0, 5.0]], dtype=torch.float64)
    a, b = torch.tensor([[1.0, 4.0, 0.25], [9.0, 4.0, 1.0]], dtype=torch.float64)
    expected = (mean - other).square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    found = frechet_distance(mean, a.diag(), other, b.diag())
    assert found == pytest.approx(expected.item(), rel=1e-12)


def test_distance_is_symmetric_zero_at_equality_and_keeps_under_rotation():
    x, y = gathered(features(80, 5), 80), gathered(features(80, 5, seed=1, shift=1), 80)
    one = x.mean, x.covariance
    two = y.mean, y.covariance
    there = frechet_distance(*one, *two)
    assert there > 1
    assert frechet_distance(*two, *one) == pytest.approx(there, rel=1e-10)
    assert frechet_distance(*one, *one) == pytest.approx(0, abs=1e-8)
    turn, _ = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))
    turned = [(turn @ mean, turn @ covariance @ turn.T) for mean, covariance in (one, two)]
    assert frechet_distance(*turned[0], *turned[1]) == pytest.approx(there, rel=1e-10)


def test_a_singular_covariance_gives_a_finite_distance():
    flat = torch.diag(torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))
    zero = torch.zeros(3, dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    assert frechet_distance(zero, flat, zero, eye) == pytest.approx(2.0)


def test_distance_is_torch_fidelitys_on_the_same_features():
    library = pytest.importorskip('torch_fidelity.metric_fid')
    x, y = features(300, 20), features(250, 20, seed=1)
    theirs = library.fid_statistics_to_metric(
        *(library.fid_features_to_statistics(each.double()) for each in (x, y)), verbose=False
    )
    ours = frechet_distance(
        *(part for each in (x, y) for s in [gathered(each, 64)] for part in (s.mean, s.covariance))
    )
    assert ours == pytest.approx(theirs['frechet_inception_distance'], rel=1e-8)
