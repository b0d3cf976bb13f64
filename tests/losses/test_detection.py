import math

import pytest
import torch
from torch.autograd import gradcheck

from w2s_mm.detection import BoxDistillLoss, FocalLogitDistillLoss, SoftmaxKLDistillLoss
from w2s_mm.utils.errors import W2SError

LOGITS = dict(size=(5, 4), seed=3)
CASES = [(T, focal) for T in (1.0, 2.0) for focal in (0.0, 1.0, 2.0)]


def randn(size, seed, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(size, generator=generator, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def focal_logit(student, teacher, T, focal, n):
    """The formula of the docstring, one number at a time."""
    total = 0.0
    for row_s, row_t in zip(student.tolist(), teacher.tolist(), strict=True):
        for s, t in zip(row_s, row_t, strict=True):
            q, p = sigmoid(s / T), sigmoid(t / T)
            bce = -(p * math.log(q) + (1 - p) * math.log(1 - q))
            entropy = -(p * math.log(p) + (1 - p) * math.log(1 - p))
            total += abs(q - p) ** focal * bce if focal else bce - entropy
    return T**2 * total / n


def focal_logit_gradient(student, teacher, T, focal, n):
    """d/ds: with q' = q(1-q)/T, d bce/ds = (q-p)/T."""
    gradient = []
    for row_s, row_t in zip(student.tolist(), teacher.tolist(), strict=True):
        gradient.append([])
        for s, t in zip(row_s, row_t, strict=True):
            q, p = sigmoid(s / T), sigmoid(t / T)
            bce = -(p * math.log(q) + (1 - p) * math.log(1 - q))
            away = abs(q - p)
            slope = focal * away ** (focal - 1) * math.copysign(1, q - p) if focal else 0.0
            gradient[-1].append(
                T**2 / n * (slope * q * (1 - q) / T * bce + away**focal * (q - p) / T)
            )
    return torch.tensor(gradient, dtype=torch.float64)


@pytest.mark.parametrize(('T', 'focal'), CASES)
def test_focal_logit_value_and_gradient(T, focal):
    student, teacher = randn((5, 4), 0).requires_grad_(), randn((5, 4), 1)
    loss = FocalLogitDistillLoss(focal=focal)(student, teacher, T, torch.tensor(3.0))
    assert loss.item() == pytest.approx(focal_logit(student, teacher, T, focal, 3), rel=1e-12)
    loss.backward()
    torch.testing.assert_close(
        student.grad, focal_logit_gradient(student, teacher, T, focal, 3), rtol=1e-10, atol=0
    )


@pytest.mark.parametrize(('T', 'focal'), CASES)
def test_focal_logit_gradcheck(T, focal):
    loss = FocalLogitDistillLoss(focal=focal, loss_weight=1.5)
    teacher, n = randn((5, 4), 1), torch.tensor(2.0, dtype=torch.float64)
    assert gradcheck(lambda s: loss(s, teacher, T, n), randn((5, 4), 0).requires_grad_())


@pytest.mark.parametrize(('T', 'focal'), CASES)
def test_focal_logit_is_least_where_student_equals_teacher(T, focal):
    teacher = randn((5, 4), 1)
    student = teacher.clone().requires_grad_()
    criterion = FocalLogitDistillLoss(focal=focal)
    loss = criterion(student, teacher, T, torch.tensor(1.0))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(student.grad, torch.zeros_like(student))
    other = criterion(student.detach() + randn((5, 4), 2, scale=0.1), teacher, T, torch.tensor(1.0))
    assert other > loss


def test_focal_zero_is_soft_bce_above_its_floor():
    student, teacher = randn((5, 4), 0), randn((5, 4), 1)
    loss = FocalLogitDistillLoss(focal=0)(student, teacher, 1.0, torch.tensor(1.0))
    bce = torch.nn.functional.binary_cross_entropy
    p = teacher.sigmoid()
    expected = bce(student.sigmoid(), p, reduction='sum') - bce(p, p, reduction='sum')
    torch.testing.assert_close(loss, expected)


def test_focal_logit_stays_finite_for_extreme_logits():
    student = torch.tensor([[1e4, -1e4, 1e4]], requires_grad=True)
    loss = FocalLogitDistillLoss()(student, torch.tensor([[-1e4, 1e4, 1e4]]), 2.0, 1.0)
    loss.backward()
    assert loss.item() == pytest.approx(4 * 2 * 5e3)
    assert student.grad.isfinite().all()


def softmax_kl(student, teacher, T, n):
    """The formula of the docstring, one number at a time."""
    total = 0.0
    for rows in zip(student.tolist(), teacher.tolist(), strict=True):
        powers = [[math.exp(z / T) for z in row] for row in rows]
        q, p = ([power / sum(row) for power in row] for row in powers)
        total += sum(b * math.log(b / a) for a, b in zip(q, p, strict=True))
    return T**2 * total / n


@pytest.mark.parametrize('T', [1.0, 2.0, 6.0])
def test_softmax_kl_value_and_gradient(T):
    student, teacher = randn((5, 4), 0).requires_grad_(), randn((5, 4), 1).requires_grad_()
    loss = SoftmaxKLDistillLoss(loss_weight=1.5)(student, teacher, T, torch.tensor(3.0))
    assert loss.item() == pytest.approx(1.5 * softmax_kl(student, teacher, T, 3), rel=1e-12)
    loss.backward()
    difference = (student.detach() / T).softmax(-1) - (teacher.detach() / T).softmax(-1)
    torch.testing.assert_close(student.grad, 1.5 * T * difference / 3)
    assert teacher.grad is None


def test_softmax_kl_is_zero_where_student_equals_teacher():
    teacher = randn((5, 4), 1)
    student = teacher.clone().requires_grad_()
    loss = SoftmaxKLDistillLoss()(student, teacher, 2.0, torch.tensor(1.0))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(student.grad, torch.zeros_like(student), rtol=0, atol=1e-12)


def l1(student, teacher, weight, n):
    rows = zip(student.tolist(), teacher.tolist(), weight.tolist(), strict=True)
    return sum(w * sum(abs(a - b) for a, b in zip(s, t, strict=True)) for s, t, w in rows) / n


def giou(a, b):
    """Generalized IoU of two boxes (arXiv 1902.09630), written out."""
    overlap = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(
        0.0, min(a[3], b[3]) - max(a[1], b[1])
    )
    union = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - overlap
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return overlap / union - (hull - union) / hull


def boxes(seed, count=12):
    generator = torch.Generator().manual_seed(seed)
    corner = 40 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    size = 5 + 30 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([corner, corner + size], dim=1)


def weights(count):
    generator = torch.Generator().manual_seed(9)
    return torch.rand(count, generator=generator, dtype=torch.float64)


def test_l1_value_and_gradient():
    student, teacher, weight = randn((5, 4), 0).requires_grad_(), randn((5, 4), 1), weights(5)
    loss = BoxDistillLoss('l1')(student, teacher, weight, torch.tensor(3.0))
    assert loss.item() == pytest.approx(l1(student, teacher, weight, 3), rel=1e-12)
    loss.backward()
    expected = weight[:, None] * (student.detach() - teacher).sign() / 3
    torch.testing.assert_close(student.grad, expected)


def test_giou_value_and_gradient():
    student, teacher, weight = boxes(0).requires_grad_(), boxes(1), weights(12)
    n = torch.tensor(3.0, dtype=torch.float64)
    loss = BoxDistillLoss('giou')(student, teacher, weight, n)
    rows = list(zip(student.tolist(), teacher.tolist(), weight.tolist(), strict=True))
    values = [giou(s, t) for s, t, _ in rows]
    assert min(values) < 0 < max(values)  # boxes apart and overlapping, both are there
    expected = sum(w * (1 - value) for (_, _, w), value in zip(rows, values, strict=True)) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-7)
    assert gradcheck(lambda s: BoxDistillLoss('giou')(s, teacher, weight, n), student)


@pytest.mark.parametrize('mode', ['l1', 'giou'])
def test_boxes_agree_at_zero(mode):
    teacher = boxes(1)
    loss = BoxDistillLoss(mode)(teacher.clone(), teacher, weights(12), torch.tensor(1.0))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_giou_of_boxes_turned_inside_out_stays_in_its_range():
    """RTMDet's distances may be negative (its stock tiny and small models take no exp)."""
    x = [[4.0, 20.0], [20.0, 4.0]]  # upright, inside out
    kinds = torch.tensor([[a[0], b[0], a[1], b[1]] for a in x for b in x])
    pairs = torch.cartesian_prod(torch.arange(4), torch.arange(4)).T
    student = kinds[pairs[0]] + 1.0
    for i in range(len(student)):
        row = student[i : i + 1].clone().requires_grad_()
        loss = BoxDistillLoss('giou')(row, kinds[pairs[1][i : i + 1]], torch.ones(1), 1.0)
        loss.backward()
        assert 0 <= loss <= 2
        assert row.grad.isfinite().all()


def apply(criterion, student, teacher, n=1.0):
    n = torch.tensor(n, dtype=torch.float64)
    if isinstance(criterion, (FocalLogitDistillLoss, SoftmaxKLDistillLoss)):
        return criterion(student, teacher, 2.0, n)
    return criterion(student, teacher, student.new_ones(len(student)), n)


CRITERIA = [
    FocalLogitDistillLoss(),
    FocalLogitDistillLoss(focal=0),
    SoftmaxKLDistillLoss(),
    BoxDistillLoss('l1'),
    BoxDistillLoss('giou'),
]
NAMES = ['focal', 'bce', 'kl', 'l1', 'giou']


@pytest.mark.parametrize('criterion', CRITERIA, ids=NAMES)
def test_no_priors_give_exactly_zero(criterion):
    maps = torch.randn(7, 4, requires_grad=True)
    nobody = torch.zeros(7, dtype=torch.bool)
    loss = apply(criterion, maps[nobody], torch.randn(7, 4)[nobody])
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(maps.grad, torch.zeros_like(maps))


@pytest.mark.parametrize('criterion', CRITERIA, ids=NAMES)
def test_a_sum_over_priors_over_the_normalizer(criterion):
    student, teacher = boxes(0), boxes(1)
    together = apply(criterion, student, teacher)
    apart = sum(apply(criterion, student[i : i + 1], teacher[i : i + 1]) for i in range(12))
    torch.testing.assert_close(together, apart)
    torch.testing.assert_close(apply(criterion, student, teacher, n=4.0), together / 4)


@pytest.mark.parametrize('criterion', CRITERIA, ids=NAMES)
def test_half_precision_is_computed_in_float32(criterion):
    student, teacher = boxes(0).bfloat16(), boxes(1).bfloat16()
    loss = apply(criterion, student, teacher.clone(), n=3.0)
    exact = apply(criterion, student.float(), teacher.float(), n=3.0)
    assert loss.dtype in (torch.float32, torch.float64)
    torch.testing.assert_close(loss, exact)


@pytest.mark.parametrize('criterion', CRITERIA, ids=NAMES)
def test_teacher_takes_no_part_in_the_shape_of_the_state(criterion):
    assert not criterion.state_dict()


@pytest.mark.parametrize('weight', [0.0, 2.5])
def test_loss_weight_scales(weight):
    student, teacher, one = boxes(0), boxes(1), torch.tensor(1.0)
    for kind in (FocalLogitDistillLoss, SoftmaxKLDistillLoss, BoxDistillLoss):
        torch.testing.assert_close(
            apply(kind(loss_weight=weight), student, teacher),
            weight * apply(kind(), student, teacher),
        )
    assert one == 1


@pytest.mark.parametrize(
    ('kind', 'arguments', 'message'),
    [
        (FocalLogitDistillLoss, {'score_thr': 0.0}, 'score_thr is 0.0'),
        (FocalLogitDistillLoss, {'score_thr': 1.0}, 'score_thr is 1.0'),
        (FocalLogitDistillLoss, {'score_thr': 20}, 'score_thr is 20'),
        (FocalLogitDistillLoss, {'focal': 0.5}, 'focal is 0.5'),
        (FocalLogitDistillLoss, {'focal': -1}, 'focal is -1'),
        (FocalLogitDistillLoss, {'loss_weight': -1}, 'loss_weight is -1'),
        (SoftmaxKLDistillLoss, {'score_thr': 0.0}, 'score_thr is 0.0'),
        (SoftmaxKLDistillLoss, {'score_thr': 1.0}, 'score_thr is 1.0'),
        (SoftmaxKLDistillLoss, {'score_thr': math.nan}, 'score_thr is nan'),
        (SoftmaxKLDistillLoss, {'loss_weight': -0.5}, 'loss_weight is -0.5'),
        (SoftmaxKLDistillLoss, {'loss_weight': math.nan}, 'loss_weight is nan'),
        (BoxDistillLoss, {'mode': 'iou'}, "mode is 'iou'.*l1.*giou"),
        (BoxDistillLoss, {'loss_weight': math.nan}, 'loss_weight is nan'),
    ],
)
def test_bad_arguments_are_named(kind, arguments, message):
    with pytest.raises(W2SError, match=message):
        kind(**arguments)
