"""A diffusion model as a student."""

import pytest
import torch
from mmengine.model import ExponentialMovingAverage

from tests import contracts
from tests.contracts import step
from w2s_mm.core.teacher import FrozenTeacher


def test_the_learned_variance_has_the_gradient_of_the_plain_model(
    make_student, ddpm, build, images
):
    student, plain = make_student(), build(ddpm())
    student.set_distillation(0.2, 1.0)
    expected, found = (
        step(model, (images, None))['grad unet.conv_out.weight'] for model in (plain, student)
    )
    assert not torch.equal(found[:1], expected[:1])  # the noise
    assert torch.equal(found[1:], expected[1:])  # the variance


def test_the_weight_scales_the_term(make_student, images):
    student = make_student()
    terms = []
    for weight in (0.2, 2.0):
        student.set_distillation(weight, 1.0)
        terms.append(step(student, (images, None))['loss loss_distill_noise'])
    torch.testing.assert_close(10 * terms[0], terms[1])
    assert terms[0] > 0


def test_an_averaged_copy_shares_the_teacher(make_student):
    student = make_student()
    student.prepare_teacher()
    assert ExponentialMovingAverage(student).module.teacher is student.teacher


def test_the_teacher_answers_as_the_model_it_was_saved_from(make_student, save_teacher, build):
    """What makes it cheaper to ask takes the shape of its images from the model itself."""
    teacher = save_teacher()
    student = make_student(teacher)
    saved = build(teacher['config'], seed=1).eval()
    x_t, t = torch.randn(3, 1, 8, 8), torch.tensor([0, 20, 49])
    found = student.teacher.model(x_t, mode='tensor', timesteps=t)
    torch.testing.assert_close(found, saved(x_t, mode='tensor', timesteps=t), rtol=1e-4, atol=1e-5)
    weight = student.teacher.model.unet.conv_in.weight
    assert (
        student.teacher.model.unet.down_blocks[0]
        .resnets[0]
        .conv1.weight.is_contiguous(memory_format=torch.channels_last)
    ), weight.shape


def test_loss_under_autocast_is_in_single_precision(make_student, images):
    student = make_student()
    student.set_distillation(1.0, 1.0)
    with torch.autocast('cpu', torch.bfloat16):
        losses = student.loss(images, None)
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize('dtype', contracts.AMP_BOUNDS)
def test_amp_is_near_float32(make_student, images, dtype):
    contracts.assert_amp_is_near_float32(make_student(), (images, None), dtype)


def test_loss_aware_steps_are_distilled_too_and_stay_in_the_state(make_student, images):
    student = make_student(timestep_sampler=dict(type='LossAwareTimesteps', history=1))
    student.set_distillation(1.0, 1.0)
    assert 'loss_distill_noise' in student.loss(images, None)
    assert student.timestep_sampler.seen.sum() == len(images)


def test_sampling_never_builds_the_teacher(make_student, monkeypatch):
    student = make_student().eval()
    student.set_distillation(1.0, 1.0)
    monkeypatch.setattr(FrozenTeacher, 'load', lambda self: pytest.fail('the teacher was built'))
    assert len(student.val_step({'inputs': [1, 2]})) == 2
