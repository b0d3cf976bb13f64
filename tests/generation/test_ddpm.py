import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.student import WeakToStrong
from w2s_mm.core.tape import record
from w2s_mm.generation import DDPM
from w2s_mm.utils.errors import W2SError

UNET = dict(type='ImprovedDDPMUNet', channels=8, blocks=1, image_size=8, in_channels=1, dropout=0.0)
CONFIG = dict(
    type='DDPM',
    unet=UNET,
    steps=50,
    sampling=dict(steps=4),
    data_preprocessor=dict(type='ImgDataPreprocessor', mean=[127.5], std=[127.5]),
)


def build(**changes):
    return MODELS.build(copy.deepcopy({**CONFIG, **changes}))


def raw(count=4):
    """What a data loader gives: 8-bit images."""
    return {'inputs': [torch.randint(0, 256, (1, 8, 8), dtype=torch.uint8) for _ in range(count)]}


def images(count=4):
    return torch.randint(0, 256, (count, 1, 8, 8)) / 127.5 - 1


def test_a_training_step_lowers_the_loss():
    model = build()
    optim = OptimWrapper(torch.optim.Adam(model.parameters(), lr=3e-3))
    data = raw(8)
    logs = [model.train_step(data, optim) for _ in range(30)]
    assert set(logs[0]) == {'loss', 'loss_mse', 'loss_vlb'}
    first, last = (sum(log['loss_mse'].item() for log in part) for part in (logs[:8], logs[-8:]))
    assert last < 0.9 * first


def test_loss_is_the_weighted_hybrid_of_what_the_network_was_asked():
    model = build(vlb_weight=0.5)
    x0 = images()
    torch.manual_seed(3)
    with record(model, ('unet',)) as tape:
        losses = model.loss(x0, None)
    (x_t, t), output = tape['unet'][0].args, tape['unet'][0].output.sample
    torch.manual_seed(3)
    drawn = torch.randint(50, (4,))
    noise = torch.randn_like(x0)
    assert torch.equal(t, drawn)
    assert torch.equal(x_t, model.diffusion.add_noise(x0, t, noise))
    simple, bound = model.diffusion.hybrid_terms(output, x0, x_t, t, noise)
    torch.testing.assert_close(losses['loss_mse'], simple.mean())
    torch.testing.assert_close(losses['loss_vlb'], 0.5 * bound.mean())


@pytest.mark.parametrize(
    ('changes', 'scale'),
    [({}, 1000 / 50), ({'rescale_timesteps': False}, 1), ({'steps': 4000}, 0.25)],
)
def test_the_network_sees_the_step_as_one_of_1000(changes, scale):
    model = build(**changes)
    t = torch.tensor([0, 1, 7, 49])
    with record(model, ('unet', 'unet.time_proj')) as tape:
        model(torch.zeros(4, 1, 8, 8), timesteps=t)
    frequencies = 10000 ** (-torch.arange(4, dtype=torch.float64) / 4)
    angles = t[:, None] * scale * frequencies
    expected = torch.cat([angles.cos(), angles.sin()], dim=1)
    found = tape.last('unet.time_proj').output.double()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert torch.equal(tape.last('unet').args[1], t)  # masks and teachers see the step itself


def test_of_1000_steps_the_network_sees_the_step_itself():
    x_t, t = images(), torch.tensor([0, 10, 500, 999])
    models = [sharper(steps=1000, rescale_timesteps=rescale) for rescale in (True, False)]
    assert torch.equal(*(model(x_t, timesteps=t) for model in models))


def test_a_network_whose_steps_cannot_be_rescaled_is_refused():
    unet = MODELS.build(UNET)
    unet.time_proj = torch.nn.Embedding(50, 8)
    with pytest.raises(W2SError, match=r'Embedding.*rescale_timesteps=False'):
        DDPM(unet, steps=50)
    assert DDPM(unet, steps=50, rescale_timesteps=False).loss(images())['loss_mse'] > 0
    assert DDPM(unet, steps=1000)  # nothing to rescale


@pytest.mark.parametrize('learned', [True, False])
def test_losses_are_weighted_by_the_drawn_steps_and_heard_unweighted(learned, monkeypatch):
    model = build(unet={**UNET, 'learned_variance': learned})
    t, heard, losses = torch.tensor([0, 3, 9, 49]), [], []
    x0 = images()
    monkeypatch.setattr(model.timestep_sampler, 'observe', lambda _, loss: heard.append(loss))
    for weight in (torch.ones(4), torch.tensor([0.0, 4.0, 0.0, 0.0])):
        monkeypatch.setattr(model.timestep_sampler, 'draw', lambda *_, w=weight: (t, w))
        torch.manual_seed(0)
        losses.append(model.loss(x0))
    torch.testing.assert_close(heard[0], heard[1])
    torch.testing.assert_close(sum(losses[0].values()), heard[0].mean())
    torch.testing.assert_close(sum(losses[1].values()), heard[0][1])


def test_a_network_without_variance_is_trained_by_its_noise_alone():
    model = build(unet={**UNET, 'learned_variance': False})
    assert list(model.loss(images())) == ['loss_mse']
    assert model.sample(2, method='ancestral').shape == (2, 1, 8, 8)


def test_loss_aware_steps_hear_the_losses_and_are_resumed():
    aware = dict(type='LossAwareTimesteps', history=1)
    model = build(timestep_sampler=aware)
    for _ in range(3):
        model.loss(images())
    assert model.timestep_sampler.seen.sum() == 12
    resumed = build(timestep_sampler=aware)
    resumed.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(resumed.timestep_sampler.losses, model.timestep_sampler.losses)


def test_the_state_dict_is_the_networks_alone():
    assert all(name.startswith('unet.') for name in build().state_dict())


def sharper(**changes):
    """A model whose samples have something to differ in."""
    torch.manual_seed(0)
    model = build(**changes).eval()
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.05)
    return model


def test_predictions_are_new_8_bit_images_one_for_each_seed():
    predictions = sharper().val_step({'inputs': [3, 1, 3]})
    assert len(predictions) == 3
    assert all(p.generated.shape == (1, 8, 8) and p.finite for p in predictions)
    assert all(p.generated.dtype == torch.uint8 for p in predictions)
    first, second, third = (p.generated for p in predictions)
    assert torch.equal(first, third) and not torch.equal(first, second)


@pytest.mark.parametrize('method', ['ddim', 'ancestral'])
def test_a_seed_means_one_image_whatever_the_batch_and_no_random_number_of_the_training(method):
    model = sharper()
    model.sampling['method'] = method
    state = torch.get_rng_state()
    together = model.test_step({'inputs': [5, 6, 7, 8]})
    alone = model.test_step({'inputs': [7]})
    assert torch.equal(torch.get_rng_state(), state)
    difference = together[2].generated.int() - alone[0].generated.int()
    assert difference.abs().max() <= 1  # a rounding of the last bit


def test_sampling_of_a_config_is_that_of_the_samples():
    clipped, not_clipped = (
        sharper(sampling=dict(steps=4, use_clipped_model_output=clip)) for clip in (True, False)
    )
    samples = [
        model.sample(2, torch.Generator().manual_seed(5))
        for model in (sharper(), clipped, not_clipped)
    ]
    assert torch.equal(samples[0], samples[1])
    assert not torch.equal(samples[0], samples[2])


def test_a_prediction_that_is_not_a_number_says_so():
    model = sharper()
    model.unet.conv_out.bias.data[0] = float('nan')
    assert not any(p.finite for p in model.val_step({'inputs': [1, 2]}))


def test_samples_of_an_ema_copy_follow_the_generator_alone():
    model = ExponentialMovingAverage(build().eval()).module
    first, second = (model.sample(2, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.abs().max() <= 1


def test_tensor_mode_is_the_network():
    model = build().eval()
    x_t, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 40])
    assert torch.equal(model(x_t, timesteps=t), model.unet(x_t, t).sample)
    assert model(x_t, mode='tensor').shape == (2, 2, 8, 8)


def test_under_autocast_the_losses_are_in_single_precision():
    with torch.autocast('cpu', torch.bfloat16):
        losses = build().loss(images())
    assert all(x.dtype == torch.float32 and x.isfinite() for x in losses.values())


class NoHead(DistillHead):
    """Stands in for the distill head, which is not called while the weight is 0."""


class Student(WeakToStrong, DDPM):
    """As a model family becomes a student."""


def test_a_student_whose_weight_is_0_is_the_plain_model(monkeypatch):
    monkeypatch.setitem(MODELS._module_dict, 'NoHead', NoHead)
    monkeypatch.setitem(MODELS._module_dict, 'Student', Student)
    teacher = dict(config=CONFIG, checkpoint='nowhere.pth')
    plain = build()
    student = build(type='Student', teacher=teacher, distill_head=dict(type='NoHead'))
    student.load_state_dict(plain.state_dict(), strict=True)
    x0 = images()
    losses = []
    for model in (plain, student):
        torch.manual_seed(0)
        losses.append(model(x0, mode='loss'))
    assert losses[0].keys() == losses[1].keys()
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[0])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'vlb_weight': -1}, 'vlb_weight is -1'),
        ({'noise_schedule': 'sqrt'}, "noise_schedule is 'sqrt'"),
    ],
)
def test_an_argument_out_of_range_is_named(changes, message):
    with pytest.raises(W2SError, match=message):
        build(**changes)


def test_a_network_with_other_outputs_is_refused():
    unet = MODELS.build(UNET)
    unet.register_to_config(out_channels=3)
    with pytest.raises(W2SError, match=r'takes 1 channels and outputs 3; expected 1 .* or 2'):
        DDPM(unet)


def test_images_of_another_shape_are_refused():
    with pytest.raises(W2SError, match=r'shape \(3, 8, 8\).*expects \(1, 8, 8\)'):
        build().loss(torch.zeros(2, 3, 8, 8))


def test_an_unknown_mode_is_refused():
    with pytest.raises(W2SError, match="mode is 'train'"):
        build()(images(), mode='train')
