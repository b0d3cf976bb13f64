"""Contracts 1 to 3 of the design on a diffusion model."""

import pytest
import torch
from mmengine.model import ExponentialMovingAverage

from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.utils.errors import W2SError


@pytest.fixture
def make_plain(ddpm, build):
    return lambda **changes: build(ddpm(**changes))


def step(model, images):
    """Losses, gradients and generator state after one forward and backward pass."""
    torch.manual_seed(3)
    losses = model.loss(images, None)
    model.parse_losses(losses)[0].backward()
    return {
        **{f'loss {name}': value.detach() for name, value in losses.items()},
        **{f'grad {name}': p.grad for name, p in model.named_parameters() if p.grad is not None},
        'rng': torch.get_rng_state(),
    }


def assert_bitwise(left, right):
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def test_built_with_the_plain_models_random_numbers(make_student, make_plain):
    plain = make_plain()
    after = torch.get_rng_state()
    student = make_student()
    assert torch.equal(torch.get_rng_state(), after)
    assert_bitwise(student.state_dict(), plain.state_dict())


def test_weight_zero_is_bitwise_the_plain_model(make_student, make_plain, images, monkeypatch):
    student, plain = make_student(), make_plain()
    monkeypatch.setattr(FrozenTeacher, 'load', lambda self: pytest.fail('the teacher was built'))
    assert_bitwise(step(student, images), step(plain, images))


def test_own_losses_and_rng_stay_bitwise_while_distilling(make_student, make_plain, images):
    student, plain = make_student(), make_plain()
    student.set_distillation(0.2, 1.0)
    expected, found = step(plain, images), step(student, images)
    kept = [name for name in expected if not name.startswith('grad ')]
    assert_bitwise({name: found[name] for name in kept}, {name: expected[name] for name in kept})
    assert set(found) - set(expected) == {'loss loss_distill_noise'}
    weight = 'grad unet.conv_out.weight'  # its first half makes the noise, the other the variance
    assert not torch.equal(found[weight][:1], expected[weight][:1])
    assert torch.equal(found[weight][1:], expected[weight][1:])


def test_the_weight_scales_the_term(make_student, images):
    student = make_student()
    terms = []
    for weight in (0.2, 2.0):
        student.set_distillation(weight, 1.0)
        terms.append(step(student, images)['loss loss_distill_noise'])
    torch.testing.assert_close(10 * terms[0], terms[1])
    assert terms[0] > 0


def test_checkpoints_load_strictly_both_ways(make_student, make_plain):
    student, plain = make_student(), make_plain()
    student.prepare_teacher()
    plain.load_state_dict(student.state_dict(), strict=True)
    student.load_state_dict(plain.state_dict(), strict=True)


def test_teacher_is_nowhere_in_the_student_never_changes_and_is_let_go(make_student, images):
    student = make_student()
    student.prepare_teacher()
    before = {name: value.clone() for name, value in student.teacher.model.state_dict().items()}
    theirs = {id(parameter) for parameter in student.teacher.model.parameters()}
    assert not theirs & {id(parameter) for parameter in student.parameters()}
    student.set_distillation(1.0, 1.0)
    student.train()
    assert not student.teacher.model.training  # nor does its dropout draw
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    step(student, images)
    optimizer.step()
    assert_bitwise(student.teacher.model.state_dict(), before)
    student.set_distillation(0.0, 1.0)
    student.teacher.release()
    student.loss(images, None)
    with pytest.raises(W2SError, match='released'):
        student.teacher.model  # noqa: B018


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
