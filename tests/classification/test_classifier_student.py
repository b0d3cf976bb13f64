"""Contracts 1 to 3 of the design on an image classifier, and what its teacher gets to see."""

import numpy as np
import pytest
import torch

from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.rng import rng_state

MIX = {
    'train_cfg': {'augments': [{'type': 'Mixup', 'alpha': 1.0}, {'type': 'CutMix', 'alpha': 1.0}]}
}


@pytest.fixture
def make_plain(classifier, build):
    def plain(changes=None):
        torch.manual_seed(0)
        return build(classifier(changes)).train()

    return plain


def seed(number):
    torch.manual_seed(number)
    np.random.seed(number)  # Mixup and CutMix draw from both


def step(model, batch):
    """Losses, gradients, buffers and generator state after one forward and backward pass."""
    losses = model.loss(*batch)
    model.parse_losses(losses)[0].backward()
    return {
        **{f'loss {name}': value.detach() for name, value in losses.items()},
        **{f'grad {name}': p.grad for name, p in model.named_parameters() if p.grad is not None},
        **{f'buffer {name}': b for name, b in model.named_buffers()},
        'rng torch': rng_state()['torch'],
        'rng numpy': rng_state()['numpy'][1],
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


@pytest.mark.parametrize('changes', [None, MIX], ids=['plain', 'mixed'])
def test_weight_zero_is_bitwise_the_plain_model(
    changes, make_student, make_plain, make_batch, monkeypatch
):
    student, plain = make_student(changes), make_plain(changes)

    def refuse(self):
        raise AssertionError('the teacher was built')

    monkeypatch.setattr(FrozenTeacher, 'load', refuse)
    seed(3)
    expected = step(plain, make_batch(plain))
    seed(3)
    assert_bitwise(step(student, make_batch(student)), expected)


def test_own_loss_buffers_and_rng_stay_bitwise_while_distilling(
    make_student, make_plain, make_batch
):
    student, plain = make_student(), make_plain()
    student.set_distillation(1.0, 4.0)
    seed(3)
    expected = step(plain, make_batch(plain))
    seed(3)
    found = step(student, make_batch(student))
    kept = [name for name in expected if not name.startswith('grad ')]
    assert_bitwise({name: found[name] for name in kept}, {name: expected[name] for name in kept})
    assert set(found) - set(expected) == {'loss loss_distill_kl'}


def test_checkpoints_load_strictly_both_ways(make_student, make_plain):
    student, plain = make_student(), make_plain()
    student.prepare_teacher()
    plain.load_state_dict(student.state_dict(), strict=True)
    student.load_state_dict(plain.state_dict(), strict=True)


def test_teacher_is_nowhere_in_the_student_and_never_changes(make_student, make_batch):
    student = make_student()
    student.prepare_teacher()
    before = {name: value.clone() for name, value in student.teacher.model.state_dict().items()}
    theirs = {id(parameter) for parameter in student.teacher.model.parameters()}
    assert not theirs & {id(parameter) for parameter in student.parameters()}
    student.set_distillation(1.0, 4.0)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    student.train()
    student.parse_losses(student.loss(*make_batch(student)))[0].backward()
    optimizer.step()
    assert_bitwise(student.teacher.model.state_dict(), before)
    student.set_distillation(0.0, 1.0)
    student.teacher.release()
    student.loss(*make_batch(student))
    with pytest.raises(W2SError, match='released'):
        student.teacher.model  # noqa: B018


def asked(student, monkeypatch):
    """What the teacher is given, call by call."""
    seen = []
    model = student.teacher.model
    forward = type(model).forward

    def spy(self, inputs, *args, **kwargs):
        seen.append(inputs)
        return forward(self, inputs, *args, **kwargs)

    monkeypatch.setattr(type(model), 'forward', spy)
    return seen


@pytest.mark.parametrize('kind', ['Mixup', 'CutMix'])
def test_teacher_sees_the_mixed_batch_and_mixes_nothing_itself(
    kind, classifier, save_teacher, make_student, make_batch, monkeypatch
):
    mix = {'train_cfg': {'augments': {'type': kind, 'alpha': 1.0}}}
    student = make_student(mix, teacher=save_teacher(classifier(mix)))
    inputs, samples = make_batch(student)
    unmixed, _ = make_batch(student, training=False)
    assert (inputs - unmixed).abs().max() > 0.1
    assert any(0 < sample.gt_score.max() < 1 for sample in samples)
    student.set_distillation(1.0, 4.0)
    seen = asked(student, monkeypatch)
    student.loss(inputs, samples)
    assert len(seen) == 1 and torch.equal(seen[0], inputs)


@pytest.mark.parametrize(
    'changes',
    [
        {'data_preprocessor.mean': [127.5] * 3, 'data_preprocessor.std': [127.5] * 3},
        {'data_preprocessor.to_rgb': False},
        {
            'data_preprocessor.to_rgb': False,
            'data_preprocessor.mean': [10.0, 20.0, 30.0],
            'data_preprocessor.std': [1.0, 2.0, 3.0],
        },
    ],
    ids=['other mean and std', 'other channel order', 'both'],
)
def test_teacher_sees_images_normalised_as_it_was_trained(
    changes, classifier, save_teacher, build, make_student, make_batch, monkeypatch
):
    config = classifier(changes)
    student = make_student(teacher=save_teacher(config))
    student.set_distillation(1.0, 4.0)
    seen = asked(student, monkeypatch)
    student.loss(*make_batch(student))
    expected, _ = make_batch(build(config))
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-3)


def test_teachers_normalisation_may_stand_beside_its_model(
    classifier, save_teacher, build, make_student, make_batch, monkeypatch
):
    """As in MMPretrain's configs, where the Runner puts it into the model."""
    config = classifier({'data_preprocessor.mean': [0.0] * 3, 'data_preprocessor.std': [255.0] * 3})
    arguments = save_teacher(config)
    model = dict(config)
    arguments['config'] = {'data_preprocessor': model.pop('data_preprocessor'), 'model': model}
    student = make_student(teacher=arguments)
    student.set_distillation(1.0, 4.0)
    seen = asked(student, monkeypatch)
    student.loss(*make_batch(student))
    expected, _ = make_batch(build(config))
    torch.testing.assert_close(seen[0], expected, rtol=1e-4, atol=1e-3)


def test_a_stale_image_size_hides_no_pixels(
    classifier, save_teacher, make_student, make_batch, monkeypatch
):
    """A transform that resizes without saying so leaves the size of the file in ``img_shape``."""
    other = classifier({'data_preprocessor.mean': [0.0] * 3, 'data_preprocessor.std': [255.0] * 3})
    student = make_student(teacher=save_teacher(other))
    student.set_distillation(1.0, 4.0)
    inputs, samples = make_batch(student)
    seen = asked(student, monkeypatch)
    student.loss(inputs, samples)
    for sample in samples:
        sample.set_metainfo({'img_shape': (4, 4)})
    student.loss(inputs, samples)
    assert torch.equal(*seen)


def test_predicting_never_builds_the_teacher(make_student, make_batch, monkeypatch):
    student = make_student().eval()
    student.set_distillation(1.0, 4.0)
    monkeypatch.setattr(FrozenTeacher, 'load', lambda self: pytest.fail('the teacher was built'))
    inputs, samples = make_batch(student, training=False)
    results = student(inputs, samples, mode='predict')
    assert len(results) == 4 and results[0].pred_score.shape == (5,)
