import math

import pytest
import torch
from diffusers import DDIMScheduler

from w2s_mm.generation.diffusion import GaussianDiffusion
from w2s_mm.generation.sampling import sample, scheduler_arguments, spaced_steps
from w2s_mm.utils.errors import W2SError

SHAPE = (2, 1, 4, 4)
IMAGE = torch.linspace(-0.9, 0.9, 32).view(SHAPE)


def oracle(diffusion, seen=None, variance=None):
    """A network that knows the image: its noise leads there from anywhere."""

    def network(x_t, t):
        bar = diffusion.alphas_bar[t].float().view(-1, 1, 1, 1)
        noise = (x_t - bar.sqrt() * IMAGE) / (1 - bar).sqrt()
        if seen is not None:
            seen.append((int(t[0]), x_t.clone()))
        return noise if variance is None else torch.cat([noise, variance + 0 * noise], dim=1)

    return network


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_steps_are_evenly_spaced_and_include_both_ends():
    assert spaced_steps(10, 4).tolist() == [9, 6, 3, 0]
    assert spaced_steps(4000, 4000).tolist() == list(range(3999, -1, -1))
    for count in (2, 7, 2999, 3999):
        steps = spaced_steps(4000, count)
        assert (steps[0], steps[-1], len(steps)) == (3999, 0, count)
        gaps = -steps.diff()
        assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize('schedule', ['linear', 'cosine'])
@pytest.mark.parametrize('steps', [2, 7, 50, 67, 100])
def test_ddim_follows_one_noise_to_the_image_with_any_number_of_steps(schedule, steps):
    diffusion, seen = GaussianDiffusion(schedule, 100), []
    images = sample(oracle(diffusion, seen), diffusion, SHAPE, 'ddim', steps, seeded())
    torch.testing.assert_close(images, IMAGE, rtol=0, atol=1e-4)
    assert [t for t, _ in seen] == spaced_steps(100, steps).tolist()
    top, first = seen[0]
    bar = diffusion.alphas_bar.float()
    noise = (first - bar[top].sqrt() * IMAGE) / (1 - bar[top]).sqrt()
    for t, x_t in seen:
        expected = bar[t].sqrt() * IMAGE + (1 - bar[t]).sqrt() * noise
        torch.testing.assert_close(x_t, expected, rtol=0, atol=2e-3)


def wave(x, t):
    """A network whose images have to be clipped."""
    return torch.sin(3 * x + t.view(-1, 1, 1, 1))


@pytest.mark.parametrize('clipped', [True, False])
def test_ddim_with_all_steps_is_that_of_diffusers(clipped):
    diffusion = GaussianDiffusion('cosine', 30)
    scheduler = DDIMScheduler(**scheduler_arguments(diffusion))
    scheduler.set_timesteps(30)
    x = torch.randn(SHAPE, generator=seeded())
    for t in scheduler.timesteps:
        output = wave(x, t.expand(2))
        x = scheduler.step(output, t, x, use_clipped_model_output=clipped).prev_sample
    images = sample(wave, diffusion, SHAPE, 'ddim', 30, seeded(), use_clipped_model_output=clipped)
    torch.testing.assert_close(images, x.clamp(-1, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('clipped', [True, False])
@pytest.mark.parametrize('steps', [3, 7])
def test_the_noise_of_ddim_is_that_which_leads_to_the_clipped_image(steps, clipped):
    """arXiv 2010.02502, equation (12), with the noise of improved DDPM's code, by hand."""
    diffusion, seen = GaussianDiffusion('cosine', 20), []

    def network(x, t):
        seen.append(x.double())
        return wave(x, t)

    sample(network, diffusion, SHAPE, 'ddim', steps, seeded(), use_clipped_model_output=clipped)
    times = spaced_steps(20, steps)
    any_clipped = False
    for x, following, t, before in zip(seen, seen[1:], times, times[1:], strict=False):
        bar, bar_before = diffusion.alphas_bar[t], diffusion.alphas_bar[before]
        noise = wave(x.float(), t.expand(2)).double()
        image = (x - (1 - bar).sqrt() * noise) / bar.sqrt()
        any_clipped |= bool(image.abs().max() > 1.01)
        image = image.clamp(-1, 1)
        if clipped:
            noise = (x - bar.sqrt() * image) / (1 - bar).sqrt()
        expected = bar_before.sqrt() * image + (1 - bar_before).sqrt() * noise
        torch.testing.assert_close(following, expected, rtol=0, atol=1e-4)
    assert any_clipped


@pytest.mark.parametrize('variance', [-1.0, 0.3, 1.0])
def test_ancestral_sampling_draws_from_the_models_gaussians(variance):
    diffusion, seen = GaussianDiffusion('linear', 40), []
    network = oracle(diffusion, seen, variance)
    images = sample(network, diffusion, SHAPE, 'ancestral', 40, seeded())
    x, generator = torch.randn(SHAPE, generator=seeded()), seeded()
    torch.randn(SHAPE, generator=generator)
    for t in range(39, -1, -1):
        torch.testing.assert_close(seen[39 - t][1], x, rtol=1e-3, atol=1e-3)
        step = torch.full((2,), t)
        model = diffusion.reverse(network(x, step), x, step)
        x = model.mean
        if t > 0:
            noise = torch.randn(SHAPE, generator=generator)
            x = x + (model.log_variance / 2).exp() * noise
    torch.testing.assert_close(images, x.clamp(-1, 1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('steps', [2, 7, 67])
def test_ancestral_sampling_of_fewer_steps_ends_at_the_image(steps):
    diffusion = GaussianDiffusion('cosine', 100)
    for variance in (None, 0.0):
        network = oracle(diffusion, variance=variance)
        images = sample(network, diffusion, SHAPE, 'ancestral', steps, seeded())
        torch.testing.assert_close(images, IMAGE, rtol=0, atol=1e-3)


@pytest.mark.parametrize('method', ['ddim', 'ancestral'])
def test_a_generator_alone_decides_on_the_images(method):
    diffusion = GaussianDiffusion('cosine', 20)

    def drawn(seed):
        return sample(wave, diffusion, SHAPE, method, 5, seeded(seed))

    first = drawn(1)
    state = torch.get_rng_state()
    assert torch.equal(drawn(1), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(drawn(2), first)
    assert first.abs().max() <= 1 and math.isfinite(first.sum())


@pytest.mark.parametrize(
    ('method', 'steps', 'message'),
    [
        ('euler', 5, "method is 'euler'; expected one of"),
        ('ddim', 1, 'sampling steps is 1; expected a whole number from 2 to 20'),
        ('ancestral', 21, 'sampling steps is 21'),
        ('ddim', 2.5, 'sampling steps is 2.5'),
    ],
)
def test_what_cannot_be_sampled_is_named(method, steps, message):
    diffusion = GaussianDiffusion('cosine', 20)
    with pytest.raises(W2SError, match=message):
        sample(oracle(diffusion), diffusion, SHAPE, method, steps)
