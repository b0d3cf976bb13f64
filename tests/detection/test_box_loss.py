"""The box term with MMDetection's losses, in float64 where a number is compared."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from tests.detection.boxes import giou, random_boxes
from w2s_mm.detection.box_loss import box_term, check_boxes, check_threshold
from w2s_mm.utils.errors import W2SError

FORMS = {'encoded': 'mmdet.L1Loss', 'corners': 'mmdet.GIoULoss'}
BOTH = pytest.mark.parametrize('form', FORMS)


@pytest.fixture
def term(build):
    """``term(form, student, teacher, weight, n)``: the box term, with the usual loss."""

    def value(form, student, teacher, weight=None, n=1.0, **kwargs):
        weight = student.new_ones(len(student)) if weight is None else weight
        n = torch.tensor(n, dtype=torch.float64)
        loss = build({'type': FORMS[form], **kwargs})
        return box_term(loss, form, student, teacher, weight, n)

    return value


def weights(count=12):
    generator = torch.Generator().manual_seed(9)
    return torch.rand(count, generator=generator, dtype=torch.float64)


def l1_distance(a, b):
    return sum(abs(x - y) for x, y in zip(a, b, strict=True))


def giou_distance(a, b):
    return 1 - giou(a, b)


@pytest.mark.parametrize(
    ('form', 'distance'), [('encoded', l1_distance), ('corners', giou_distance)]
)
def test_distances_of_boxes_weighted_and_summed_over_n(term, form, distance):
    student, teacher, weight = random_boxes(0), random_boxes(1), weights()
    rows = zip(student.tolist(), teacher.tolist(), weight.tolist(), strict=True)
    expected = 2.5 * sum(w * distance(s, t) for s, t, w in rows) / 3
    found = term(form, student, teacher, weight, 3.0, loss_weight=2.5)
    assert found.item() == pytest.approx(expected, rel=1e-6)  # MMDetection adds 1e-7 to n


def test_these_boxes_overlap_and_lie_apart():
    pairs = zip(random_boxes(0).tolist(), random_boxes(1).tolist(), strict=True)
    values = [giou(*pair) for pair in pairs]
    assert min(values) < 0 < max(values)


def test_gradient_of_l1_is_the_weighted_sign(term):
    student, teacher, weight = random_boxes(0).requires_grad_(), random_boxes(1), weights()
    term('encoded', student, teacher, weight, 3.0).backward()
    expected = weight[:, None] * (student.detach() - teacher).sign() / 3
    torch.testing.assert_close(student.grad, expected, rtol=1e-6, atol=0)


@BOTH
def test_gradcheck(term, form):
    teacher, weight = random_boxes(1), weights()
    student = random_boxes(0).requires_grad_()
    assert gradcheck(lambda s: term(form, s, teacher, weight, 3.0), student)


@BOTH
def test_equal_boxes_give_zero(term, form):
    teacher = random_boxes(1)
    assert term(form, teacher.clone(), teacher, weights()).item() == pytest.approx(0, abs=1e-5)


@BOTH
def test_boxes_may_change_places_and_add_up(term, form):
    student, teacher, weight = random_boxes(0), random_boxes(1), weights()
    together = term(form, student, teacher, weight)
    torch.testing.assert_close(
        together, term(form, student.flip(0), teacher.flip(0), weight.flip(0))
    )
    rows = [slice(i, i + 1) for i in range(12)]
    apart = sum(term(form, student[r], teacher[r], weight[r]) for r in rows)
    torch.testing.assert_close(together, apart)


def test_giou_depends_on_no_shift_and_no_scale(term):
    student, teacher, weight = random_boxes(0), random_boxes(1), weights()
    expected = term('corners', student, teacher, weight)
    torch.testing.assert_close(term('corners', student + 9, teacher + 9, weight), expected)
    torch.testing.assert_close(term('corners', 2 * student, 2 * teacher, weight), expected)


@BOTH
def test_no_rows_give_zero_and_a_gradient_of_zero(term, form):
    student = torch.randn(7, 4, requires_grad=True)
    nobody = torch.zeros(7, dtype=torch.bool)
    loss = term(form, student[nobody], torch.randn(7, 4)[nobody])
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(student.grad, torch.zeros_like(student))


@BOTH
def test_weights_of_zero_give_zero_and_a_gradient_of_zero(term, form):
    student = random_boxes(0).requires_grad_()
    loss = term(form, student, random_boxes(1), torch.zeros(12, dtype=torch.float64))
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()


UPRIGHT, INSIDE_OUT = [4.0, 20.0], [20.0, 4.0]
KINDS = [[a[0], b[0], a[1], b[1]] for a in (UPRIGHT, INSIDE_OUT) for b in (UPRIGHT, INSIDE_OUT)]


@pytest.mark.parametrize('ours', KINDS)
@pytest.mark.parametrize('theirs', KINDS)
def test_giou_of_boxes_turned_inside_out_stays_in_its_range(term, ours, theirs):
    """RTMDet's distances may be negative (its stock tiny and small models take no exp)."""
    student = (torch.tensor([ours]) + 1).requires_grad_()
    loss = term('corners', student, torch.tensor([theirs]))
    loss.backward()
    assert 0 <= loss <= 2
    assert student.grad.isfinite().all()
    if theirs != KINDS[0]:  # there is no box to follow
        assert loss == 0 and not student.grad.any()


@pytest.mark.parametrize('theirs', [[4.0, 4.0, 4.0, 20.0], [4.0, 4.0, 4.0, 4.0]], ids=str)
def test_a_teachers_box_without_size_takes_no_part(term, theirs):
    student = torch.tensor([[1.0, 2.0, 9.0, 8.0], [1.0, 2.0, 9.0, 8.0]], requires_grad=True)
    box = [2.0, 2.0, 10.0, 10.0]
    loss = term('corners', student, torch.tensor([theirs, box]))
    loss.backward()
    assert not student.grad[0].any() and student.grad[1].any()
    torch.testing.assert_close(loss, term('corners', student[1:], torch.tensor([box])))


def test_a_students_box_without_width_still_learns(term):
    student = torch.tensor([[4.0, 3.0, 4.0, 9.0]], requires_grad=True)
    loss = term('corners', student, torch.tensor([[2.0, 2.0, 10.0, 10.0]]))
    loss.backward()
    assert 0 < loss <= 2
    assert student.grad[0, 0] > 0 > student.grad[0, 2]  # against these it grows


@pytest.mark.parametrize('score_thr', [0.0, 1.0, 20, -0.1, math.nan])
def test_a_threshold_out_of_range_is_refused(score_thr):
    with pytest.raises(W2SError, match=f'score_thr is {score_thr}'):
        check_threshold(score_thr)


def test_an_unknown_form_is_refused_with_the_choice():
    with pytest.raises(W2SError, match=r"box_form is 'giou'.*encoded.*corners"):
        check_boxes('giou', None)


@pytest.mark.parametrize('kind', ['IoULoss', 'GIoULoss', 'DIoULoss', 'CIoULoss'])
def test_a_loss_of_boxes_is_not_given_encoded_numbers(build, kind):
    with pytest.raises(W2SError, match=f"{kind}.*box_form='corners'"):
        check_boxes('encoded', build({'type': kind}))
    check_boxes('corners', build({'type': kind}))
