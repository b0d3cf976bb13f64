"""KL(student || teacher) and features of classifiers, as a diagnosis reads them."""

import math

import torch

from w2s_mm.classification import LogitDistillHead
from w2s_mm.core.tape import Call, Tape, record


def test_divergence_is_kl_of_student_and_teacher(make_student):
    student = make_student()
    ours = torch.tensor([[0.5, 0.2, 0.1, 0.1, 0.1], [0.2] * 5]).log()
    theirs = torch.tensor([[0.2] * 5, [0.2] * 5]).log() + 3  # logits know no constant
    tape = Tape({'head': [Call((), {}, ours)]})
    found = LogitDistillHead().probe().divergence(student, tape, theirs)
    expected = sum(p * math.log(p / 0.2) for p in (0.5, 0.2, 0.1, 0.1, 0.1))
    torch.testing.assert_close(found, torch.tensor([expected, 0.0]))


def test_features_are_what_goes_into_the_last_linear_layer(make_student, make_batch):
    student = make_student().eval()
    probe = student.distill_heads[0].probe()
    inputs, _ = make_batch(student)
    tap = probe.taps(student)[-1]
    with torch.no_grad(), record(student, probe.taps(student)) as tape:
        logits = student(inputs)
        features = probe.features(student, tape)
        torch.testing.assert_close(student.get_submodule(tap)(features), logits)
    assert features.shape[0] == len(inputs)


def test_features_of_a_torchvision_model_are_found(build):
    model = build(
        {
            'type': 'TorchvisionClassifier',
            'model_name': 'resnet18',
            'num_classes': 5,
            'data_preprocessor': {'mean': [0.0] * 3, 'std': [1.0] * 3},
        }
    ).eval()
    probe = LogitDistillHead().probe()
    with torch.no_grad(), record(model, probe.taps(model)) as tape:
        model(torch.zeros(2, 3, 32, 32))
    assert 'backbone.fc' in tape and probe.features(model, tape).shape == (2, 512)


def test_several_labels_have_the_entropy_and_divergence_of_sigmoids(make_student):
    student = make_student(
        {'head': {'type': 'MultiLabelLinearClsHead', 'num_classes': 5, 'in_channels': 8}}
    )
    ours, theirs = torch.randn(3, 5), torch.randn(3, 5)
    tape = Tape({'head': [Call((), {}, ours)]})
    probe = LogitDistillHead().probe()
    q, p = ours.sigmoid(), theirs.sigmoid()
    expected = q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()
    torch.testing.assert_close(probe.divergence(student, tape, theirs), expected.sum(1))
    expected = -(q * q.log() + (1 - q) * (1 - q).log()).sum(1)
    torch.testing.assert_close(probe.entropy(student, tape), expected)
