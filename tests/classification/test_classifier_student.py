"""Images as the teacher of a classifier is given them."""

import pytest
import torch

from w2s_mm.core.teacher import FrozenTeacher


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
