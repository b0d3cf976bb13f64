"""The distillation term of classifiers: its mathematics, and what it refuses."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample

from tests import contracts
from w2s_mm.utils.errors import W2SError

LINEAR = {'head': {'type': 'LinearClsHead', 'num_classes': 5, 'in_channels': 8}}
TEMPERATURES = (1.0, 2.0, 6.0)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('T', TEMPERATURES)
def test_term_and_gradients_equal_torchs_kl_div_in_float64(T, reverse, make_student, make_batch):
    """Through the whole student, on a batch that Mixup has mixed."""
    mix = {'train_cfg': {'augments': {'type': 'Mixup', 'alpha': 1.0}}}
    student = make_student(
        mix, distill_head={'loss': {'type': 'KLDistillLoss', 'reverse': reverse}}
    ).eval()
    student.prepare_teacher()
    inputs, samples = make_batch(student)
    inputs = inputs.double()
    student.double()
    teacher = student.teacher.model.double()
    for sample in samples:
        sample.set_gt_score(sample.gt_score.double())
    student.set_distillation(1.5, T)
    term = student.loss(inputs, samples)['loss_distill_kl']
    assert term.dtype == torch.float64
    found = gradients(student, term)

    s, t = student(inputs) / T, teacher(inputs) / T
    if reverse:
        expected = F.kl_div(t.log_softmax(1), s.softmax(1), reduction='batchmean')
    else:
        expected = F.kl_div(s.log_softmax(1), t.softmax(1), reduction='batchmean')
    expected = 1.5 * T**2 * expected
    torch.testing.assert_close(term, expected, rtol=1e-12, atol=1e-12)
    assert term > 1e-3
    wanted = gradients(student, expected)
    assert found.keys() == wanted.keys()
    for name in found:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-9, atol=1e-12)


def test_zero_where_the_student_is_the_teacher(classifier, save_teacher, make_student, make_batch):
    arguments = save_teacher(classifier())
    student = make_student(teacher=arguments).eval()
    state = torch.load(arguments['checkpoint'], weights_only=True)['state_dict']
    student.load_state_dict(state, strict=True)
    student.set_distillation(1.0, 4.0)
    term = student.loss(*make_batch(student))['loss_distill_kl']
    torch.testing.assert_close(term, torch.zeros(()), rtol=0, atol=1e-4)  # batch norm is folded


@pytest.mark.parametrize('augment', [None, 'Mixup', 'CutMix'])
@pytest.mark.parametrize('smooth', [False, True])
def test_own_loss_is_untouched_by_smoothed_and_mixed_labels(
    augment, smooth, classifier, build, make_student, make_batch
):
    changes = dict(LINEAR)
    if smooth:
        changes['head'] = {
            **LINEAR['head'],
            'loss': {'type': 'LabelSmoothLoss', 'label_smooth_val': 0.1, 'num_classes': 5},
        }
    if augment:
        changes['train_cfg'] = {'augments': {'type': augment, 'alpha': 1.0}}
    student = make_student(changes)
    torch.manual_seed(0)
    plain = build(classifier(changes)).train()
    batch = make_batch(student)
    student.set_distillation(1.0, 4.0)
    losses, expected = student.loss(*batch), plain.loss(*batch)
    assert torch.equal(losses['loss'], expected['loss'])
    assert losses['loss_distill_kl'] > 0
    total = student.parse_losses(losses)[0]
    torch.testing.assert_close(total, losses['loss'] + losses['loss_distill_kl'])


def test_under_bf16_autocast_the_term_is_that_of_the_logits_in_float32(make_student, make_batch):
    student = make_student().eval()
    student.prepare_teacher()
    student.set_distillation(1.0, 6.0)
    inputs, samples = make_batch(student)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        term = student.loss(inputs, samples)['loss_distill_kl']
        logits, target = student(inputs), student.teacher.model(inputs)
    assert logits.dtype == torch.bfloat16 and term.dtype == torch.float32
    expected = 36 * F.kl_div(
        (logits.float() / 6).log_softmax(1), (target.float() / 6).softmax(1), reduction='batchmean'
    )
    torch.testing.assert_close(term, expected)
    term.backward()
    assert all(p.grad.isfinite().all() for p in student.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    'head',
    [
        {'type': 'LinearClsHead', 'num_classes': 5, 'in_channels': 8},
        {'type': 'VisionTransformerClsHead', 'num_classes': 5, 'in_channels': 8, 'hidden_dim': 4},
        {
            'type': 'EfficientFormerClsHead',
            'num_classes': 5,
            'in_channels': 8,
            'distillation': False,
        },
        {'type': 'VigClsHead', 'num_classes': 5, 'in_channels': 8, 'hidden_dim': 4},
    ],
    ids=lambda head: head['type'],
)
def test_every_softmax_head_gives_its_logits(
    head, classifier, save_teacher, make_student, make_batch
):
    student = make_student({'head': head}, teacher=save_teacher(classifier()))
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    inputs, samples = make_batch(student)
    torch.manual_seed(0)
    losses = student.loss(inputs, samples)
    torch.manual_seed(0)
    logits = student.head(student.extract_feat(inputs))
    expected = 4 * F.kl_div(
        (logits / 2).log_softmax(1),
        (student.teacher.model(inputs) / 2).softmax(1),
        reduction='batchmean',
    )
    torch.testing.assert_close(losses['loss_distill_kl'], expected)


def test_entropy_is_that_of_the_softmax_one_number_an_image(make_student):
    from w2s_mm.core.tape import Call, Tape

    student = make_student()
    logits = torch.tensor([[0.0] * 5, [50.0, 0, 0, 0, 0], [math.log(3), 0, -1e3, -1e3, -1e3]])
    found = (
        student.distill_heads[0].probe().entropy(student, Tape({'head': [Call((), {}, logits)]}))
    )
    third = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    torch.testing.assert_close(found, torch.tensor([math.log(5), 0.0, third]))


MULTI_LABEL = {'head': {'type': 'MultiLabelLinearClsHead', 'num_classes': 5, 'in_channels': 8}}
BERNOULLI = {'loss': {'type': 'FocalLogitDistillLoss', 'focal': 0.0}}
ONE_OF_MANY = {
    'ArcFaceClsHead': {'num_classes': 5, 'in_channels': 8},
    'ConformerHead': {'num_classes': 5, 'in_channels': [8, 8]},
    'MultiTaskHead': {'task_heads': {'a': {**LINEAR['head']}}, 'in_channels': 8},
}
SIGMOID = [
    {'type': 'CrossEntropyLoss', 'use_sigmoid': True},
    {'type': 'LabelSmoothLoss', 'label_smooth_val': 0.1, 'num_classes': 5, 'mode': 'multi_label'},
]


@pytest.mark.parametrize('whose', ['student', 'teacher'])
@pytest.mark.parametrize('name', ONE_OF_MANY)
def test_heads_without_one_softmax_are_refused_by_name(
    name, whose, classifier, save_teacher, make_student
):
    head = {'head': {'type': name, **ONE_OF_MANY[name]}}
    if whose == 'student':
        student = make_student(head, teacher=save_teacher(classifier()))
    else:
        student = make_student(teacher=save_teacher(classifier(head)))
    with pytest.raises(W2SError, match=rf'The {whose} \w+ has no class logits .*{name}'):
        student.prepare_teacher()


@pytest.mark.parametrize('T', TEMPERATURES)
def test_several_labels_are_compared_by_the_bernoulli_divergence_in_float64(
    T, classifier, save_teacher, make_student, make_batch
):
    student = make_student(
        MULTI_LABEL, teacher=save_teacher(classifier(MULTI_LABEL)), distill_head=BERNOULLI
    ).eval()
    student.prepare_teacher()
    inputs, samples = make_batch(student)
    inputs = inputs.double()
    student.double()
    teacher = student.teacher.model.double()
    student.set_distillation(1.5, T)
    term = student.loss(inputs, samples)['loss_distill_kl']
    found = gradients(student, term)
    q, p = (model(inputs).div(T).sigmoid() for model in (student, teacher))
    yes, no = p * (p / q).log(), (1 - p) * ((1 - p) / (1 - q)).log()
    expected = 1.5 * T**2 * (yes + no).sum(1).mean()
    torch.testing.assert_close(term, expected, rtol=1e-12, atol=1e-12)
    assert term > 1e-3
    wanted = gradients(student, expected)
    for name in found:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ('student', 'teacher', 'head', 'message'),
    [
        (MULTI_LABEL, MULTI_LABEL, {}, r'loss: KLDistillLoss compares logits of a softmax'),
        (LINEAR, LINEAR, BERNOULLI, r'loss: FocalLogitDistillLoss compares logits of a sigmoid'),
        (MULTI_LABEL, LINEAR, BERNOULLI, r'the teacher has a softmax, the student a sigmoid'),
        (LINEAR, MULTI_LABEL, {}, r'the teacher has a sigmoid, the student a softmax'),
        (
            MULTI_LABEL,
            MULTI_LABEL,
            {**BERNOULLI, 'remember_classes': 2},
            r'remember_classes is 2, and the student has a sigmoid for each class',
        ),
        (
            MULTI_LABEL,
            MULTI_LABEL,
            {'type': 'SelectionHead'},
            r'a sigmoid for each class \(MultiLabelLinearClsHead\)',
        ),
    ],
)
def test_what_does_not_fit_the_activation_is_refused(
    student, teacher, head, message, classifier, save_teacher, make_student
):
    made = make_student(student, teacher=save_teacher(classifier(teacher)), distill_head=head)
    with pytest.raises(W2SError, match=message):
        made.prepare_teacher()


@pytest.mark.parametrize('loss', SIGMOID, ids=lambda loss: loss['type'])
def test_one_softmax_that_is_trained_by_sigmoids_is_refused(loss, make_student):
    student = make_student({'head': {**LINEAR['head'], 'loss': loss}})
    with pytest.raises(W2SError, match='use_sigmoid'):
        student.prepare_teacher()


def test_no_head_is_refused(classifier, save_teacher, make_student):
    student = make_student(teacher=save_teacher(classifier({'head': None})))
    with pytest.raises(W2SError, match='it has no head'):
        student.prepare_teacher()


def test_a_detector_is_refused_as_a_teacher(make_student, build):
    from torch import nn

    student = make_student()
    with pytest.raises(W2SError, match='not an image classifier'):
        student.distill_heads[0].check(student, nn.Linear(1, 1))


def test_another_number_of_classes_is_refused_before_training(
    classifier, save_teacher, make_student
):
    student = make_student(teacher=save_teacher(classifier({'head.num_classes': 7})))
    with pytest.raises(W2SError, match=r'number of classes: teacher 7, student 5'):
        student.prepare_teacher()


def test_another_number_of_classes_that_no_head_tells_is_refused_at_the_first_batch(
    classifier, save_teacher, make_student, make_batch
):
    head = {'type': 'VigClsHead', 'num_classes': 7, 'in_channels': 8}
    student = make_student(teacher=save_teacher(classifier({'head': head})))
    student.prepare_teacher()
    student.set_distillation(1.0, 2.0)
    with pytest.raises(W2SError, match=r'teacher \(4, 7\), student \(4, 5\)'):
        student.loss(*make_batch(student))


def test_labels_are_not_needed_by_the_term(make_student, make_batch):
    """It compares answers; the samples go to the student's own loss alone."""
    student = make_student().eval()
    student.set_distillation(1.0, 2.0)
    inputs, samples = make_batch(student)
    first = student.loss(inputs, samples)
    others = [DataSample().set_gt_label(0) for _ in samples]
    second = student.loss(inputs, others)
    assert first['loss'] != second['loss']
    assert torch.equal(first['loss_distill_kl'], second['loss_distill_kl'])


@pytest.mark.parametrize('dtype', contracts.AMP_BOUNDS)
def test_amp_is_near_float32(make_student, make_batch, dtype):
    student = make_student()
    contracts.assert_amp_is_near_float32(student, make_batch(student), dtype)
