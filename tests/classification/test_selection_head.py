"""The teacher as a selector: what is trained on, and what is refused."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS

from tests import contracts
from tests.contracts import StudentContracts
from w2s_mm.utils.errors import W2SError

MIX = {
    'train_cfg': {'augments': [{'type': 'Mixup', 'alpha': 1.0}, {'type': 'CutMix', 'alpha': 1.0}]}
}
LINEAR = {'type': 'LinearClsHead', 'num_classes': 5, 'in_channels': 8}
SMOOTH = {
    'head': {
        **LINEAR,
        'loss': {'type': 'LabelSmoothLoss', 'label_smooth_val': 0.1, 'num_classes': 5},
    }
}


def head(**arguments):
    return {'type': 'SelectionHead', **arguments}


@pytest.mark.parametrize('changes', [None, MIX, SMOOTH], ids=['plain', 'mixed', 'smooth'])
class TestStudents(StudentContracts):
    TERMS = frozenset({'selection'})

    @pytest.fixture
    def twins(self, classifier, build, make_student, make_batch, changes):
        student = make_student(changes, distill_head=head())
        torch.manual_seed(0)
        plain = build(classifier(changes)).train()
        return student, plain, make_batch(plain)


@pytest.fixture
def ready(make_student, make_batch):
    """``ready(changes, ...)``: a student in float64, its batch and the labels' probabilities."""

    def make(changes=None, size=8, **arguments):
        student = make_student(changes, distill_head=head(**arguments)).eval()
        student.prepare_teacher()
        inputs, samples = make_batch(student, size=size)
        inputs = inputs.double()
        student.double()
        student.teacher.model.double()
        for sample in samples:
            if 'gt_score' in sample:
                sample.set_gt_score(sample.gt_score.double())
        labels = [
            sample.gt_score if 'gt_score' in sample else F.one_hot(sample.gt_label, 5)[0]
            for sample in samples
        ]
        return student, inputs, samples, torch.stack(labels).double()

    return make


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize('weight', [1.0, 0.3])
@pytest.mark.parametrize(('keep', 'count'), [(0.25, 2), (0.5, 4), (0.01, 1)])
@pytest.mark.parametrize('changes', [None, MIX, SMOOTH], ids=['plain', 'mixed', 'smooth'])
def test_the_total_is_the_loss_of_the_images_with_the_largest_reducible_loss(
    ready, changes, keep, count, weight
):
    student, inputs, samples, labels = ready(changes, keep=keep)
    if changes is SMOOTH:
        labels = 0.9 * labels + 0.1 / 5
    student.set_distillation(weight, 4.0)
    found = gradients(student, student.parse_losses(student.loss(inputs, samples))[0])
    ours, theirs = (
        -(labels * model(inputs).log_softmax(-1)).sum(-1)
        for model in (student, student.teacher.model)
    )
    order = sorted(range(8), key=lambda i: (theirs[i] - ours[i]).item())
    expected = (1 - weight) * ours.mean() + weight * ours[order[:count]].mean()
    wanted = gradients(student, expected)
    for grad, reference in zip(found, wanted, strict=True):
        torch.testing.assert_close(grad, reference, rtol=1e-5, atol=1e-8)
    assert any(grad.any() for grad in found)


def test_an_image_that_is_not_selected_has_no_gradient(ready):
    student, inputs, samples, _ = ready(keep=0.5)
    inputs.requires_grad_()
    student.set_distillation(1.0, 4.0)
    student.parse_losses(student.loss(inputs, samples))[0].backward()
    assert (inputs.grad.flatten(1).abs().amax(1) > 1e-12).sum() == 4


def test_beside_a_loss_between_logits(classifier, build, save_teacher, make_batch):
    model = {'type': 'W2SImageClassifier', 'teacher': save_teacher(classifier())}
    heads = [{'type': 'LogitDistillHead', 'weight': 5.0}, head()]
    torch.manual_seed(0)
    student = build({**classifier(), **model, 'distill_head': heads}).train()
    student.prepare_teacher()
    student.set_distillation(1.0, 4.0)
    losses = student.loss(*make_batch(student))
    assert losses['loss_distill_0.kl'] > 0 and losses['loss_distill_1.selection'] > 0


@pytest.mark.parametrize('dtype', contracts.AMP_BOUNDS)
def test_amp_is_near_float32(make_student, make_batch, dtype):
    student = make_student(distill_head=head())
    contracts.assert_amp_is_near_float32(student, make_batch(student), dtype)


def test_a_weight_above_one_is_refused_as_soon_as_it_is_reached(make_student, make_batch):
    student = make_student(distill_head=head())
    student.prepare_teacher()
    batch = make_batch(student)
    student.set_distillation(1.0, 1.0)
    student.loss(*batch)
    student.set_distillation(1.5, 1.0)
    with pytest.raises(W2SError, match=r'weight of SelectionHead .* is 1\.5; .*at most 1\. At 1'):
        student.loss(*batch)


def test_an_own_schedule_above_one_is_refused_before_training(make_student):
    schedule = {'lambda_max': 2.0, 'warmup': 1, 'hold': 1, 'decay': 1}
    student = make_student(distill_head=head(schedule=schedule, weight=0.75))
    with pytest.raises(W2SError, match=r'weight of SelectionHead .* is 1\.5'):
        student.prepare_teacher()


@MODELS.register_module(force=True)
class MeanOnly(torch.nn.Module):
    def forward(self, cls_score, label, avg_factor=None):
        return F.cross_entropy(cls_score, label)


def test_a_loss_without_the_loss_of_each_image_is_refused(make_student):
    changes = {'head': {**LINEAR, 'loss': {'type': 'MeanOnly'}}}
    student = make_student(changes, distill_head=head())
    with pytest.raises(W2SError, match='has MeanOnly, which has no reduction_override'):
        student.prepare_teacher()


def test_other_classes_are_refused(classifier, save_teacher, make_student):
    teacher = save_teacher(classifier({'head.num_classes': 7}))
    student = make_student(teacher=teacher, distill_head=head())
    with pytest.raises(W2SError, match='number of classes: teacher 7, student 5'):
        student.prepare_teacher()


@pytest.mark.parametrize('keep', [0, 1, 1.5, float('nan'), '0.5'])
def test_a_part_that_is_nothing_or_all_is_refused(keep):
    with pytest.raises(W2SError, match=r'distill_head\.keep is '):
        MODELS.build(head(keep=keep))
