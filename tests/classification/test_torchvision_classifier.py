"""Teachers from torchvision and timm: their own checkpoints, and the logits they give."""

import pytest
import torch
import torchvision

from w2s_mm.utils.errors import W2SError

IN1K = {
    'mean': [123.675, 116.28, 103.53],
    'std': [58.395, 57.12, 57.375],
    'to_rgb': True,
    'num_classes': 5,
}
WRAPPED = {
    'type': 'TorchvisionClassifier',
    'model_name': 'resnet18',
    'num_classes': 5,
    'data_preprocessor': IN1K,
}
MMPRETRAIN = {
    'type': 'ImageClassifier',
    'data_preprocessor': IN1K,
    'backbone': {'type': 'ResNet', 'depth': 18, 'num_stages': 4, 'out_indices': (3,)},
    'neck': {'type': 'GlobalAveragePooling'},
    'head': {'type': 'LinearClsHead', 'num_classes': 5, 'in_channels': 512},
}


@pytest.fixture(scope='module')
def resnet18():
    """torchvision's network in evaluation mode, its batch norms no longer the identity."""
    torch.manual_seed(1)
    network = torchvision.models.resnet18(num_classes=5)
    for name, buffer in network.named_buffers():
        if name.endswith(('running_mean', 'running_var')):
            buffer.add_(torch.rand_like(buffer), alpha=0.1)
    return network.eval()


@pytest.fixture
def saved(resnet18, tmp_path):
    """Its weights as torchvision's own files have them: under its keys, without batch counters."""
    state = {k: v for k, v in resnet18.state_dict().items() if 'num_batches_tracked' not in k}
    path = tmp_path / 'resnet18.pth'
    torch.save(state, path)
    return str(path)


def mmpretrains(state):
    """torchvision's keys as MMPretrain's ResNet names them."""
    return {
        f'head.{key}' if key.startswith('fc.') else f'backbone.{key}': value
        for key, value in state.items()
    }


@pytest.fixture
def answers(make_student, make_batch):
    """``answers(teacher)``: what a student's teacher says to a batch, and the batch."""

    def logits(teacher):
        student = make_student(teacher=teacher)
        student.prepare_teacher()
        inputs, samples = make_batch(student, side=32)
        with torch.no_grad():
            head = student.distill_heads[0]
            return head.ask(student, student.teacher, inputs, samples, {}), inputs

    return logits


def test_torchvision_and_mmpretrain_with_the_same_weights_answer_alike(
    resnet18, saved, answers, tmp_path
):
    path = tmp_path / 'converted.pth'
    torch.save({'state_dict': mmpretrains(resnet18.state_dict())}, path)
    wrapped, inputs = answers({'config': WRAPPED, 'checkpoint': saved})
    native, _ = answers({'config': MMPRETRAIN, 'checkpoint': str(path)})
    with torch.no_grad():
        own = resnet18(inputs)
    assert own.std() > 0.1
    torch.testing.assert_close(wrapped, own, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(native, own, rtol=1e-3, atol=1e-3)


def test_state_dict_is_torchvisions_and_loads_back(resnet18, build):
    model = build(WRAPPED)
    assert model.state_dict().keys() == resnet18.state_dict().keys()
    model.load_state_dict(resnet18.state_dict(), strict=True)
    resnet18.load_state_dict(model.state_dict(), strict=True)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(model.eval()(images), resnet18(images))


def test_state_dict_below_another_module_keeps_its_prefix(build):
    outer = torch.nn.ModuleDict({'inner': build(WRAPPED)})
    state = outer.state_dict()
    assert 'inner.conv1.weight' in state and not any('backbone' in key for key in state)
    outer.load_state_dict(state, strict=True)


def test_predicts_for_the_students_evaluator(build, make_batch):
    model = build(WRAPPED).eval()
    inputs, samples = make_batch(model, side=32, training=False)
    results = model(inputs, samples, mode='predict')
    logits = model(inputs)
    for result, row in zip(results, logits, strict=True):
        torch.testing.assert_close(result.pred_score, row.softmax(0))
        assert result.pred_label.item() == row.argmax().item()


def test_students_loss_follows_a_torchvision_teacher(saved, make_student, make_batch):
    student = make_student(teacher={'config': WRAPPED, 'checkpoint': saved})
    student.set_distillation(1.0, 4.0)
    losses = student.loss(*make_batch(student, side=32))
    assert losses['loss_distill_kl'] > 0
    losses['loss_distill_kl'].backward()


def test_another_number_of_classes_is_refused(saved, build, make_student, tmp_path):
    config = {**WRAPPED, 'num_classes': 7}
    path = tmp_path / 'seven.pth'
    torch.save(build(config).state_dict(), path)
    student = make_student(teacher={'config': config, 'checkpoint': str(path)})
    with pytest.raises(W2SError, match='teacher 7, student 5'):
        student.prepare_teacher()


def test_an_unknown_model_is_named(build):
    with pytest.raises(W2SError, match="no model 'resnet17'"):
        build({**WRAPPED, 'model_name': 'resnet17'})


def test_without_normalisation_it_is_refused(build):
    with pytest.raises(W2SError, match=r'no data_preprocessor.*mean=\[123\.675'):
        build({**WRAPPED, 'data_preprocessor': None})


def test_timms_checkpoint_answers_as_timms_model(make_student, make_batch, tmp_path):
    import timm

    torch.manual_seed(1)
    network = timm.create_model('resnet18', num_classes=5).eval()
    path = tmp_path / 'timm.pth'
    torch.save(network.state_dict(), path)
    config = {
        'type': 'TimmClassifier',
        'model_name': 'resnet18',
        'num_classes': 5,
        'data_preprocessor': IN1K,
    }
    student = make_student(teacher={'config': config, 'checkpoint': str(path)})
    student.prepare_teacher()
    student.set_distillation(1.0, 4.0)
    inputs, samples = make_batch(student, side=32)
    with torch.no_grad():
        head = student.distill_heads[0]
        found = head.ask(student, student.teacher, inputs, samples, {})
        torch.testing.assert_close(found, network(inputs), rtol=1e-3, atol=1e-3)
    assert student.loss(inputs, samples)['loss_distill_kl'] > 0
    other = timm.create_model('resnet18', num_classes=7)
    torch.save(other.state_dict(), path)
    student = make_student(
        teacher={'config': {**config, 'num_classes': 7}, 'checkpoint': str(path)}
    )
    with pytest.raises(W2SError, match='teacher 7, student 5'):
        student.prepare_teacher()
