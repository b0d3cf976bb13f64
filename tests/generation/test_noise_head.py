import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from w2s_mm.core.tape import Call, Tape, record
from w2s_mm.generation import NoiseDistillHead
from w2s_mm.utils.errors import W2SError


class Output:
    def __init__(self, sample):
        self.sample = sample


class Student:
    """As much of a model as the loss looks at."""

    class diffusion:
        steps = 10


def tape_of(output, t):
    x_t = torch.zeros(len(t), output.shape[1] // 2, *output.shape[2:])
    return Tape({'unet': [Call((x_t, t), {}, Output(output))]})


def loss(head, output, answer, t):
    return head.loss(Student(), tape_of(output, t), answer, 1.0)['noise']


@pytest.mark.parametrize(
    ('options', 'distilled'),
    [
        ({}, range(5)),
        ({'side': 'high'}, range(5, 10)),
        ({'ratio': 0.3}, range(3)),
        ({'ratio': 0.3, 'side': 'high'}, range(7, 10)),
        ({'ratio': 1.0}, range(10)),
        ({'ratio': 1.0, 'side': 'high'}, range(10)),
    ],
)
def test_mask_takes_its_share_of_the_steps_on_its_side(options, distilled):
    mask = NoiseDistillHead(**options).mask(torch.arange(10), 10)
    assert mask.nonzero().flatten().tolist() == list(distilled)


def test_loss_is_the_mean_squared_distance_of_the_noise_halves_over_the_whole_batch():
    torch.manual_seed(0)
    output, answer = torch.randn(4, 6, 8, 8), torch.randn(4, 3, 8, 8)
    t = torch.tensor([0, 4, 5, 9])
    expected = (output[:2, :3].double() - answer[:2].double()).square().sum() / (4 * 3 * 8 * 8)
    found = loss(NoiseDistillHead(), output, answer, t)
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)


def test_gradient_is_that_of_the_squared_distance_and_reaches_the_distilled_noise_alone():
    torch.manual_seed(0)
    output = torch.randn(4, 2, 8, 8, requires_grad=True)
    answer = torch.randn(4, 1, 8, 8)
    loss(NoiseDistillHead(), output, answer, torch.tensor([0, 4, 5, 9])).backward()
    expected = torch.zeros_like(output)
    expected[:2, :1] = 2 * (output.detach()[:2, :1] - answer[:2]) / (4 * 64)
    torch.testing.assert_close(output.grad, expected)


def test_zero_where_the_two_agree_and_where_no_step_is_distilled():
    output = torch.randn(4, 2, 8, 8)
    t = torch.tensor([0, 1, 2, 3])
    assert loss(NoiseDistillHead(), output, output[:, :1], t) == 0
    assert loss(NoiseDistillHead(), output, output[:, :1] + 1, t + 6) == 0


def test_divergence_is_that_of_gaussians_around_the_two_predictions():
    torch.manual_seed(0)
    output, answer = torch.randn(4, 6, 8, 8), torch.randn(4, 3, 8, 8)
    found = (
        NoiseDistillHead()
        .probe()
        .divergence(Student(), tape_of(output, torch.tensor([0, 4, 5, 9])), answer)
    )
    ours, theirs = (Independent(Normal(mean, 1.0), 3) for mean in (output[:, :3], answer))
    torch.testing.assert_close(found, kl_divergence(ours, theirs))


def test_features_of_a_diagnosis_are_the_narrowest_maps_pooled(make_student, images):
    student = make_student()
    probe = student.distill_heads[0].probe()
    with record(student, probe.taps(student)) as tape:
        student.loss(images, None)
    call = tape['unet.mid_block'][-1]
    assert torch.equal(probe.features(student, tape), call.output.mean(dim=(2, 3)))


def test_half_precision_is_compared_in_single():
    output = torch.full((1, 2, 8, 8), 300.0, dtype=torch.float16)  # its square is infinite there
    answer = torch.zeros(1, 1, 8, 8, dtype=torch.float16)
    assert loss(NoiseDistillHead(), output, answer, torch.tensor([0])) == 90000


@pytest.mark.parametrize('learned', [True, False])
def test_teacher_is_asked_what_the_student_was_and_answers_with_its_noise_half(
    learned, make_student, save_teacher, images
):
    student = make_student(save_teacher(unet=dict(channels=16, learned_variance=learned)))
    student.prepare_teacher()
    with record(student, ('unet',)) as tape, record(student.teacher.model, ('unet',)) as asked:
        student.set_distillation(1.0, 1.0)
        student.loss(images, None)
    (theirs,), (ours, *_) = asked['unet'], tape['unet']
    assert all(torch.equal(a, b) for a, b in zip(theirs.args, ours.args, strict=True))
    answer = student.distill_heads[0].ask(student, student.teacher, images, (), tape)
    assert torch.equal(answer, theirs.output.sample[:, :1]) and answer.shape == images.shape


@pytest.mark.parametrize(
    ('teacher', 'message'),
    [
        (
            {'noise_schedule': 'linear'},
            r"schedule: teacher \('linear', 50\), student \('cosine', 50\)",
        ),
        ({'steps': 60}, r"schedule: teacher \('cosine', 60\), student \('cosine', 50\)"),
        ({'unet': {'image_size': 16}}, r'shape .*: teacher \(1, 16, 16\), student \(1, 8, 8\)'),
        ({'unet': {'in_channels': 3}}, r'shape .*: teacher \(3, 8, 8\), student \(1, 8, 8\)'),
        (
            {'data_preprocessor': dict(type='ImgDataPreprocessor', mean=[0.0], std=[255.0])},
            r'scale .* the teacher \(\[0.0\], \[255.0\]\), of the student \(\[127.5\], \[127',
        ),
        ({'sampling': dict(steps=5)}, "sampling: teacher .* 'steps': 5.*, student .* 'steps': 4"),
    ],
)
def test_a_teacher_that_reads_the_images_otherwise_is_refused_before_training(
    teacher, message, make_student, save_teacher
):
    with pytest.raises(W2SError, match=message):
        make_student(save_teacher(**teacher)).prepare_teacher()


def test_one_mean_for_all_channels_is_the_same_as_one_each(make_student, save_teacher):
    unet = dict(in_channels=3)
    each = dict(type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3)
    make_student(save_teacher(unet=unet, data_preprocessor=each), unet=unet).prepare_teacher()


def test_a_teacher_that_is_no_diffusion_model_is_refused(make_student):
    student = make_student()
    with pytest.raises(W2SError, match='The teacher is a Linear; expected a diffusion model'):
        student.distill_heads[0].check(student, torch.nn.Linear(1, 1))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'ratio': 0}, 'distill_head.ratio is 0; expected .* above 0 and at most 1'),
        ({'ratio': 1.5}, 'distill_head.ratio is 1.5'),
        ({'side': 'early'}, "distill_head.side is 'early'; expected one of"),
    ],
)
def test_an_option_out_of_range_is_named(options, message):
    with pytest.raises(W2SError, match=message):
        NoiseDistillHead(**options)
