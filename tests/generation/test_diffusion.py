"""Against a reference in NumPy's double precision, written from the papers, and diffusers."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from w2s_mm.generation.diffusion import GaussianDiffusion, linear_range, make_betas
from w2s_mm.utils.errors import W2SError

SCHEDULES = ['linear', 'cosine']
SHAPE = (5, 3, 4, 4)
STEPS = 4000
T = torch.tensor([0, 1, 2, 1700, STEPS - 1])


def reference_betas(schedule, steps):
    if schedule == 'linear':
        low, high = 0.1 / steps, 20 / steps
        return np.array([low + (high - low) * i / (steps - 1) for i in range(steps)])
    angle = (np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2
    alpha_bar = np.cos(angle) ** 2 / np.cos(angle[0]) ** 2
    return np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], 0.999)


class Reference:
    """Improved DDPM's equations, image by image."""

    def __init__(self, schedule, t):
        betas = reference_betas(schedule, STEPS)
        bar = np.cumprod(1 - betas)
        bar_before = np.concatenate([[1.0], bar[:-1]])
        tilde = (1 - bar_before) / (1 - bar) * betas
        self.beta, self.bar, self.bar_before = betas[t], bar[t], bar_before[t]
        self.log_tilde = math.log(tilde[max(t, 1)])
        self.t = t

    def noised(self, x0, noise):
        return math.sqrt(self.bar) * x0 + math.sqrt(1 - self.bar) * noise

    def mean(self, x0, x_t):
        """Equation (11)."""
        first = math.sqrt(self.bar_before) * self.beta / (1 - self.bar)
        second = math.sqrt(1 - self.beta) * (1 - self.bar_before) / (1 - self.bar)
        return first * x0 + second * x_t

    def model(self, output, x_t):
        """The mean by way of the predicted image, which is not how the package does it."""
        noise, v = np.split(output, 2)
        x0 = (x_t - math.sqrt(1 - self.bar) * noise) / math.sqrt(self.bar)
        v = (v + 1) / 2
        return self.mean(x0, x_t), v * math.log(self.beta) + (1 - v) * self.log_tilde

    def bound(self, output, x0, x_t):
        mean, log_variance = self.model(output, x_t)
        sigma = np.exp(log_variance / 2)
        if self.t == 0:
            lower = norm.cdf(np.where(x0 < -0.999, -np.inf, x0 - 1 / 255), mean, sigma)
            upper = norm.cdf(np.where(x0 > 0.999, np.inf, x0 + 1 / 255), mean, sigma)
            return -np.log2(upper - lower).mean()
        true = self.mean(x0, x_t)
        ratio = np.exp(self.log_tilde - log_variance)
        kl = (log_variance - self.log_tilde - 1 + ratio + (true - mean) ** 2 / sigma**2) / 2
        return kl.mean() / math.log(2)


@pytest.fixture(params=SCHEDULES)
def diffusion(request):
    return GaussianDiffusion(request.param, STEPS)


def make_case(diffusion, t=T, dtype=torch.float64, error=0.05):
    """Images with all 8-bit values, noised; an output whose noise is nearly right."""
    shape = (len(t), *SHAPE[1:])
    x0 = (torch.randint(0, 256, shape) * 2 / 255 - 1).to(dtype)
    x0.view(-1)[:2] = torch.tensor([-1.0, 1.0])
    noise = torch.randn(shape, dtype=dtype)
    x_t = diffusion.add_noise(x0, t, noise)
    near = noise + error * torch.randn(shape, dtype=dtype)
    output = torch.cat([near, torch.randn(shape, dtype=dtype)], dim=1)
    return x0, noise, x_t, output


def each(diffusion, function, *tensors):
    arrays = [tensor.numpy() for tensor in tensors]
    return [
        function(Reference(diffusion.schedule, int(t)), *(a[i] for a in arrays))
        for i, t in enumerate(T)
    ]


def assert_equals(actual, reference, tolerance=1e-9):
    expected = torch.as_tensor(np.stack(reference))
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('schedule', SCHEDULES)
@pytest.mark.parametrize('steps', [50, 1000, 4000])
def test_betas_are_the_papers(schedule, steps):
    betas = make_betas(schedule, steps)
    assert betas.dtype == torch.float64
    np.testing.assert_allclose(betas.numpy(), reference_betas(schedule, steps), rtol=1e-9)
    assert (betas > 0).all() and (betas < 1).all()
    assert (betas.diff() >= 0).all()


def test_the_linear_schedule_of_1000_steps_is_ddpms():
    betas = make_betas('linear', 1000)
    assert betas[0].item() == pytest.approx(1e-4)
    assert betas[-1].item() == pytest.approx(0.02)


def test_betas_are_those_of_diffusers():
    from diffusers import DDPMScheduler

    low, high = linear_range(STEPS)
    linear = DDPMScheduler(STEPS, beta_start=low, beta_end=high, beta_schedule='linear')
    cosine = DDPMScheduler(STEPS, beta_schedule='squaredcos_cap_v2')
    torch.testing.assert_close(make_betas('linear', STEPS).float(), linear.betas, rtol=1e-5, atol=0)
    assert torch.equal(make_betas('cosine', STEPS).float(), cosine.betas)


def test_noised_images_equal_the_reference(diffusion):
    x0, noise, x_t, _ = make_case(diffusion)
    assert_equals(x_t, each(diffusion, Reference.noised, x0, noise))


def test_the_image_is_found_again_from_its_noise(diffusion):
    x0, noise, x_t, _ = make_case(diffusion)
    torch.testing.assert_close(diffusion.predict_x0(x_t, T, noise), x0, rtol=1e-9, atol=1e-8)


def test_posterior_equals_the_reference(diffusion):
    x0, _, x_t, _ = make_case(diffusion)
    posterior = diffusion.posterior(x0, x_t, T)
    assert_equals(posterior.mean, each(diffusion, Reference.mean, x0, x_t))
    log_tilde = torch.tensor(
        [Reference(diffusion.schedule, int(t)).log_tilde for t in T], dtype=torch.float64
    )
    torch.testing.assert_close(
        posterior.log_variance, log_tilde.view(-1, 1, 1, 1).expand(SHAPE), rtol=1e-9, atol=0
    )


def test_the_first_steps_variance_is_clipped_to_the_seconds(diffusion):
    x0, _, x_t, _ = make_case(diffusion)
    log_variance = diffusion.posterior(x0, x_t, T).log_variance
    assert torch.equal(log_variance[0], log_variance[1])
    assert log_variance.isfinite().all()


def test_the_models_gaussian_equals_the_reference(diffusion):
    _, _, x_t, output = make_case(diffusion)
    model = diffusion.reverse(output, x_t, T)
    means, log_variances = zip(*each(diffusion, Reference.model, output, x_t), strict=True)
    assert_equals(model.mean, means, 1e-7)  # the reference divides by a tiny alpha bar
    assert_equals(model.log_variance, log_variances)


def test_variance_outputs_of_minus_1_and_1_are_the_two_limits(diffusion):
    x0, noise, x_t, _ = make_case(diffusion)
    ends = [
        diffusion.reverse(torch.cat([noise, torch.full_like(noise, v)], 1), x_t, T).log_variance
        for v in (-1.0, 1.0)
    ]
    torch.testing.assert_close(ends[0], diffusion.posterior(x0, x_t, T).log_variance)
    betas = diffusion.betas[T].log().view(-1, 1, 1, 1).expand(SHAPE)
    torch.testing.assert_close(ends[1], betas)


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_one_step_back_is_that_of_diffusers(schedule):
    from diffusers import DDPMScheduler

    diffusion = GaussianDiffusion(schedule, STEPS)
    low, high = linear_range(STEPS)
    scheduler = DDPMScheduler(
        STEPS,
        beta_start=low,
        beta_end=high,
        beta_schedule={'linear': 'linear', 'cosine': 'squaredcos_cap_v2'}[schedule],
        variance_type='learned_range',
        clip_sample=False,
    )
    scheduler.alphas_cumprod = diffusion.alphas_bar  # its own are in single precision
    for t in (1, 2, 1700, STEPS - 1):
        _, _, x_t, output = make_case(diffusion, torch.tensor([t]))
        model = diffusion.reverse(output, x_t, torch.tensor([t]))
        stepped = scheduler.step(output, t, x_t, torch.Generator().manual_seed(t)).prev_sample
        noise = torch.randn(x_t.shape, dtype=x_t.dtype, generator=torch.Generator().manual_seed(t))
        expected = model.mean + (model.log_variance / 2).exp() * noise
        torch.testing.assert_close(stepped, expected, rtol=1e-6, atol=1e-6)
        variance = scheduler._get_variance(t, predicted_variance=output.chunk(2, 1)[1])
        torch.testing.assert_close(variance, model.log_variance, rtol=1e-7, atol=1e-7)


def test_bound_equals_the_reference(diffusion):
    x0, _, x_t, output = make_case(diffusion)
    bound = diffusion.bound(output, x0, x_t, T)
    assert bound.shape == (len(T),)
    assert_equals(bound, each(diffusion, Reference.bound, output, x0, x_t), 1e-6)


def test_bound_is_zero_for_a_perfect_model(diffusion):
    x0, noise, x_t, _ = make_case(diffusion)
    perfect = torch.cat([noise, -torch.ones_like(noise)], dim=1)
    bound = diffusion.bound(perfect, x0, x_t, T)
    torch.testing.assert_close(bound[1:], torch.zeros(4).double(), rtol=0, atol=1e-12)
    # At t = 0 the image is known up to a Gaussian around it: all that is left is the width.
    width = diffusion.posterior_variance[1].sqrt().item()
    inside = math.log2(math.erf(1 / 255 / width / math.sqrt(2)))
    middle = x0[0].abs() < 0.999
    assert bound[0].item() == pytest.approx(-inside * middle.double().mean().item(), abs=0.02)


def test_bound_of_a_wrong_variance_has_a_closed_form(diffusion):
    x0, noise, x_t, _ = make_case(diffusion)
    largest = torch.cat([noise, torch.ones_like(noise)], dim=1)
    t = T[1:]
    ratio = diffusion.posterior_variance[t] / diffusion.betas[t]
    expected = (ratio - 1 - ratio.log()) / 2 / math.log(2)
    torch.testing.assert_close(
        diffusion.bound(largest, x0, x_t, T)[1:], expected, rtol=1e-7, atol=1e-12
    )


def test_single_precision_is_close_to_double_precision(diffusion):
    x0, _, x_t, output = make_case(diffusion)
    singles = [tensor.float() for tensor in (output, x0, x_t)]
    bound = diffusion.bound(*singles, T)
    assert bound.dtype == torch.float32
    torch.testing.assert_close(
        bound.double(), diffusion.bound(output, x0, x_t, T), rtol=1e-3, atol=1e-5
    )


def test_half_precision_outputs_are_computed_with_in_single_precision(diffusion):
    x0, noise, x_t, output = (x.float() for x in make_case(diffusion))
    terms = diffusion.hybrid_terms(output.bfloat16(), x0, x_t, T, noise)
    assert all(term.dtype == torch.float32 and term.isfinite().all() for term in terms)


def test_hybrid_terms_are_the_squared_error_and_all_steps_bound(diffusion):
    x0, noise, x_t, output = make_case(diffusion)
    simple, bound = diffusion.hybrid_terms(output, x0, x_t, T, noise)
    torch.testing.assert_close(simple, ((output[:, :3] - noise) ** 2).flatten(1).mean(1))
    torch.testing.assert_close(bound, STEPS * diffusion.bound(output, x0, x_t, T))


def test_the_bound_teaches_the_variance_alone(diffusion):
    x0, noise, x_t, output = make_case(diffusion)
    output.requires_grad_()
    simple, bound = diffusion.hybrid_terms(output, x0, x_t, T, noise)
    (of_bound,) = torch.autograd.grad(bound.sum(), output, retain_graph=True)
    assert of_bound[:, :3].count_nonzero() == 0
    assert (of_bound[:, 3:].flatten(1).abs().sum(1) > 0).all()
    (of_simple,) = torch.autograd.grad(simple.sum(), output)
    assert of_simple[:, 3:].count_nonzero() == 0
    torch.testing.assert_close(of_simple[:, :3], 2 * (output[:, :3] - noise) / noise[0].numel())


def test_a_uniform_step_estimates_the_sum_over_all_steps():
    diffusion = GaussianDiffusion('cosine', 20)
    t = torch.arange(20)
    x0, noise, x_t, output = make_case(diffusion, t)
    _, estimates = diffusion.hybrid_terms(output, x0, x_t, t, noise)
    total = diffusion.bound(output, x0, x_t, t).sum()
    torch.testing.assert_close(estimates.mean(), total)


def test_tables_stay_in_double_precision_and_in_no_checkpoint(diffusion):
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), diffusion).half()
    assert all(table.dtype == torch.float64 for table in diffusion.buffers())
    assert list(model.state_dict()) == ['0.weight', '0.bias']
    assert torch.equal(copy.deepcopy(model)[1].betas, diffusion.betas)


@pytest.mark.parametrize(
    ('schedule', 'steps', 'message'),
    [
        ('sigmoid', 4000, "noise_schedule is 'sigmoid'; expected one of"),
        ('linear', 20, 'steps is 20; the linear noise schedule needs .* at least 21'),
        ('cosine', 1, 'steps is 1; the cosine noise schedule needs .* at least 2'),
        ('cosine', 1e3, r'steps is 1000.0; the cosine'),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(schedule, steps, message):
    with pytest.raises(W2SError, match=message):
        GaussianDiffusion(schedule, steps)
