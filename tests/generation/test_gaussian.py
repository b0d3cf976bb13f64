import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from w2s_mm.generation.gaussian import Gaussian, discretized_log_likelihood, gaussian_kl

PIXELS = torch.arange(256, dtype=torch.float64) * 2 / 255 - 1


def gaussians(count=2, shape=(3, 2, 4, 4)):
    return [
        Gaussian(torch.randn(shape).double(), torch.randn(shape).double()) for _ in range(count)
    ]


def test_kl_equals_the_closed_form_of_torch():
    p, q = gaussians()
    expected = kl_divergence(*(Normal(g.mean, (g.log_variance / 2).exp()) for g in (p, q)))
    torch.testing.assert_close(gaussian_kl(p, q), expected, rtol=1e-12, atol=1e-12)


def test_kl_is_zero_at_equality_and_nowhere_below():
    p, q = gaussians()
    assert gaussian_kl(p, p).count_nonzero() == 0
    assert gaussian_kl(p, q).min() > 0
    nearly = Gaussian(p.mean.float(), p.log_variance.float() + 1e-4)
    assert gaussian_kl(Gaussian(p.mean.float(), p.log_variance.float()), nearly).min() >= 0


def test_kl_gradients_are_those_of_its_formula():
    p, q = gaussians()
    inputs = [x.requires_grad_() for x in (*p, *q)]
    assert torch.autograd.gradcheck(
        lambda a, b, c, d: gaussian_kl(Gaussian(a, b), Gaussian(c, d)), inputs
    )


@pytest.mark.parametrize('mean', [-30.0, -1.0, -0.3, 0.0, 1 / 255, 0.999, 1.0, 7.0])
@pytest.mark.parametrize('sigma', [1e-3, 0.02, 1.0, 100.0])
def test_the_256_bins_of_an_8_bit_value_sum_to_1(mean, sigma):
    constant = torch.full_like(PIXELS, mean)
    model = Gaussian(constant, torch.full_like(PIXELS, 2 * math.log(sigma)))
    log_probability = discretized_log_likelihood(PIXELS, model)
    assert (log_probability <= 0).all()
    assert log_probability.logsumexp(0).item() == pytest.approx(0, abs=1e-9)


def test_likelihood_equals_the_difference_of_distribution_functions():
    mean, sigma = 0.123, 0.05
    normal = Normal(torch.tensor(mean).double(), torch.tensor(sigma).double())
    lower, upper = (normal.cdf(PIXELS + side / 255) for side in (-1, 1))
    lower[0], upper[-1] = 0, 1
    model = Gaussian(torch.full_like(PIXELS, mean), torch.full_like(PIXELS, 2 * math.log(sigma)))
    near = (PIXELS - mean).abs() < 5 * sigma  # beyond, the plain difference loses its digits
    torch.testing.assert_close(
        discretized_log_likelihood(PIXELS, model)[near],
        (upper - lower).log()[near],
        rtol=1e-7,
        atol=1e-7,
    )


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_likelihood_and_its_gradient_are_finite_and_helpful_far_from_the_mean(dtype):
    pixels = PIXELS.to(dtype)
    for sigma in (1e-3, 1.0, 1e9):
        mean = torch.full_like(pixels, 20.0, requires_grad=True)
        log_variance = torch.full_like(pixels, 2 * math.log(sigma), requires_grad=True)
        value = discretized_log_likelihood(pixels, Gaussian(mean, log_variance))
        value.sum().backward()
        for tensor in (value, mean.grad, log_variance.grad):
            assert tensor.isfinite().all()
        if sigma < 1e9:
            assert (mean.grad[:-1] < 0).all()  # towards the pixel


def test_single_precision_keeps_the_value_of_double_precision():
    mean = torch.linspace(-1.2, 1.2, 256, dtype=torch.float64)
    for sigma in (0.003, 0.05, 1.0):
        log_variance = torch.full_like(mean, 2 * math.log(sigma))
        expected = discretized_log_likelihood(PIXELS, Gaussian(mean, log_variance))
        single = discretized_log_likelihood(
            PIXELS.float(), Gaussian(mean.float(), log_variance.float())
        )
        torch.testing.assert_close(single.double(), expected, rtol=1e-4, atol=1e-4)
