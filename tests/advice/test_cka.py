"""The streaming estimator against direct computations."""

import math
from itertools import permutations

import pytest
import torch

from w2s_mm.advice.cka import LinearCKA, unbiased_hsic
from w2s_mm.utils.errors import W2SError


def features(rows, channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, channels, generator=generator, dtype=torch.float64)


def related(rows=256):
    """Two sets of features that share three directions."""
    x, noise = features(rows, 12), features(rows, 7, seed=1)
    noise[:, :3] += 2 * x[:, :3]
    return x, noise


def cka(x, y, minibatch=64, chunk=None):
    stream = LinearCKA(minibatch)
    for start in range(0, len(x), chunk or len(x)):
        part = slice(start, start + (chunk or len(x)))
        stream.update(x[part], y[part])
    return stream.value()


def test_hsic_is_the_u_statistic():
    """Mean over all ordered quadruples, equation (4) of arXiv 2010.15327's source (Song et al.)."""
    x, y = features(6, 3), features(6, 2, seed=1)
    k, m = x @ x.T, y @ y.T
    direct = [
        k[i, j] * (m[i, j] + m[p, q] - 2 * m[i, p]) for i, j, p, q in permutations(range(6), 4)
    ]
    torch.testing.assert_close(unbiased_hsic(k, m), torch.stack(direct).mean())


def test_one_minibatch_is_the_direct_unbiased_cka():
    x, y = related(50)
    k, m = x @ x.T, y @ y.T
    direct = unbiased_hsic(k, m) / (unbiased_hsic(k, k) * unbiased_hsic(m, m)).sqrt()
    assert cka(x, y, minibatch=50) == pytest.approx(float(direct))


def test_the_stream_comes_near_to_plain_cka_of_all_rows():
    x, y = related(4096)
    xc, yc = x - x.mean(0), y - y.mean(0)
    plain = (yc.T @ xc).norm() ** 2 / ((xc.T @ xc).norm() * (yc.T @ yc).norm())
    assert cka(x, y, minibatch=64) == pytest.approx(float(plain), abs=0.01)


def test_features_are_alike_up_to_rotation_scale_and_shift():
    x = features(128, 10)
    rotation, _ = torch.linalg.qr(features(10, 10, seed=2))
    assert cka(x, x) == pytest.approx(1)
    assert cka(x, 3 * x @ rotation + 5, minibatch=128) == pytest.approx(1)


def test_unrelated_features_are_unlike_though_there_are_more_channels_than_rows():
    x, y = features(256, 300), features(256, 300, seed=1)
    assert abs(cka(x, y, minibatch=32)) < 0.05
    # The plain estimator would have said:
    xc, yc = (z[:32] - z[:32].mean(0) for z in (x, y))
    assert (yc.T @ xc).norm() ** 2 / ((xc.T @ xc).norm() * (yc.T @ yc).norm()) > 0.8


@pytest.mark.parametrize('chunk', [1, 7, 64, 100, 256])
def test_the_size_of_the_loaders_batches_changes_nothing(chunk):
    x, y = related()
    assert cka(x, y, chunk=chunk) == pytest.approx(cka(x, y))


def test_a_rest_of_four_rows_counts_and_fewer_do_not():
    x, y = related(69)
    stream = LinearCKA(64)
    for rows, expected in ((67, 64), (69, 69)):
        stream = LinearCKA(64)
        stream.update(x[:rows], y[:rows])
        stream.value()
        assert stream.rows == (expected if rows == 69 else 64)


@pytest.mark.parametrize('rows', [0, 3])
def test_too_few_rows_have_no_value(rows):
    assert math.isnan(
        cka(features(8, 3)[:rows], features(8, 3)[:rows]) if rows else LinearCKA().value()
    )


def test_features_without_variation_have_no_value():
    assert math.isnan(cka(torch.ones(64, 3), features(64, 3)))


def test_mistakes_are_said():
    with pytest.raises(W2SError, match='minibatch of CKA is 3; expected at least 4'):
        LinearCKA(3)
    with pytest.raises(W2SError, match='Features of 4 and of 5 images'):
        LinearCKA().update(torch.zeros(4, 2), torch.zeros(5, 2))
