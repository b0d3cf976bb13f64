"""Distributions over distances: the term, and what it refuses."""

import math

import pytest
import torch

from w2s_mm.utils.errors import W2SError


@pytest.fixture
def make_pupil(detector, build, save_teacher):
    """``make_pupil(...)``: a GFL that is taught the distributions of another one."""

    def student(family='GFL', other='GFL', changes=None, **head):
        config = detector(family)
        return build(
            {
                **config,
                'type': f'W2S{config["type"]}',
                'teacher': save_teacher(detector(other, changes)),
                'distill_head': {'type': 'LocalizationDistillHead', **head},
            }
        ).train()

    return student


def ready(student, T=3.0):
    student.prepare_teacher()
    student.set_distillation(1.0, T)
    return student


@pytest.mark.parametrize('T', [1.0, 10.0])
def test_term_equals_a_loop_over_the_confident_priors(T, make_pupil, make_batch):
    student = ready(make_pupil(score_thr=0.1), T)
    inputs, samples = make_batch(student)
    term = student.loss(inputs, samples)['loss_distill_ld']
    with torch.no_grad():
        sides = [model(inputs, mode='tensor') for model in (student, student.teacher.model)]
    bins = student.bbox_head.reg_max + 1
    total, count = 0.0, 0
    for ours, theirs, scores in zip(sides[0][1], sides[1][1], sides[1][0], strict=True):
        for n, y, x in scores.sigmoid().amax(1).ge(0.1).nonzero().tolist():
            count += 1
            for e in range(4):
                s, t = (m[n, bins * e : bins * (e + 1), y, x] / T for m in (ours, theirs))
                q, p = s.softmax(0).tolist(), t.softmax(0).tolist()
                kl = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
                total += scores[n, :, y, x].sigmoid().max().item() * T**2 * kl
    assert count > 3
    assert term.item() == pytest.approx(total / (4 * count), rel=1e-3)
    student.parse_losses({'loss': term})[0].backward()
    assert student.bbox_head.gfl_reg.weight.grad.any()
    assert student.bbox_head.gfl_cls.weight.grad is None


def test_no_confident_prior_gives_zero(make_pupil, make_batch):
    student = ready(make_pupil())
    student.teacher.model.bbox_head.gfl_cls.bias.data.fill_(-1000.0)
    assert student.loss(*make_batch(student))['loss_distill_ld'].item() == 0


def test_it_shares_the_teachers_forward_pass_with_the_other_head(
    make_pupil, make_batch, monkeypatch, detector, build, save_teacher
):
    config = detector('GFL')
    student = build(
        {
            **config,
            'type': 'W2SGFL',
            'teacher': save_teacher(detector('GFL')),
            'distill_head': [
                {'type': 'DenseDistillHead', 'score_thr': 0.1},
                {'type': 'LocalizationDistillHead', 'score_thr': 0.1, 'temperature': 10.0},
            ],
        }
    ).train()
    ready(student)
    passes = []
    student.teacher.model.backbone.register_forward_hook(lambda *args: passes.append(1))
    losses = student.loss(*make_batch(student))
    assert len(passes) == 1
    assert losses['loss_distill_0.cls'] > 0 and losses['loss_distill_1.ld'] > 0


@pytest.mark.parametrize(
    ('families', 'changes', 'message'),
    [
        (('ATSS', 'ATSS'), None, r"ATSS's bbox_head \(ATSSHead\) predicts none"),
        (('GFL', 'ATSS'), None, r"ATSS's bbox_head \(ATSSHead\) predicts none"),
        (('GFL', 'GFL'), {'bbox_head.reg_max': 4}, r'reg_max of the teacher 4, of the student'),
        (('GFL', 'GFL'), {'bbox_head.num_classes': 9}, 'number of classes'),
    ],
)
def test_what_has_no_such_distributions_is_refused(families, changes, message, make_pupil):
    student = make_pupil(*families, changes=changes)
    with pytest.raises(W2SError, match=message):
        student.prepare_teacher()


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        ({'score_thr': 1.0}, 'score_thr'),
        ({'loss': {'type': 'FocalLogitDistillLoss'}}, 'logits of a sigmoid'),
        ({'loss': {'type': 'DecoupledDistillLoss'}}, 'needs labels, and distances have none'),
    ],
)
def test_bad_arguments(head, message, make_pupil):
    with pytest.raises(W2SError, match=message):
        make_pupil(**head)
