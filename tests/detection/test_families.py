"""Every family of detectors learns from a teacher of its own kind."""

import copy
import itertools

import pytest
import torch

from tests import contracts
from tests.detection.conftest import batch_norms_in_eval_mode
from tests.one_stage import ONE_STAGE
from tests.two_stage import TWO_STAGE
from w2s_mm.utils.errors import W2SError

FAMILIES = [*ONE_STAGE, *TWO_STAGE]
WITH_MASKS = ('MaskRCNN', 'YOLACT')
BOTH = pytest.mark.parametrize('mode', ['l1', 'giou'])
EACH = pytest.mark.parametrize('family', FAMILIES)


@pytest.fixture
def make_pupil(make_family, make_batch):
    """``make_pupil(family, mode)``: a distilling student of that family, and a batch for it."""

    def pupil(family, mode='l1', teacher=None, changes=None):
        student = make_family(family, mode, teacher, changes)
        student.prepare_teacher()
        student.set_distillation(1.0, 2.0)
        return student, make_batch(student, masks=family in WITH_MASKS)

    return pupil


def distilled(losses):
    return {name: value for name, value in losses.items() if 'distill' in name}


@EACH
def test_trains_a_step(make_pupil, family):
    student, batch = make_pupil(family, 'giou')
    assert type(student).__name__ == f'W2S{family}'
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-3)
    before = [parameter.clone() for parameter in student.parameters()]
    losses = student.loss(*batch)
    terms = distilled(losses)
    assert len(terms) == (6 if family == 'CascadeRCNN' else 2)
    assert all(term.isfinite() and term > 0 for term in terms.values())
    student.parse_losses(losses)[0].backward()
    assert all(p.grad.isfinite().all() for p in student.parameters() if p.grad is not None)
    optimizer.step()
    assert any(not torch.equal(*pair) for pair in zip(before, student.parameters(), strict=True))


@BOTH
@EACH
def test_terms_are_zero_for_the_teachers_own_weights(
    make_pupil, save_teacher, detector, family, mode
):
    teacher = save_teacher(detector(family))
    student, batch = make_pupil(family, mode, teacher)
    batch_norms_in_eval_mode(student)
    student.load_state_dict(torch.load(teacher['checkpoint'])['state_dict'])
    for term in distilled(student.loss(*batch)).values():
        assert term.item() == pytest.approx(0, abs=2e-4)


# On a CPU, deformable convolution has no bfloat16, and YOLOF's head no float16.
AMP = [
    *itertools.product(('YOLOX', 'FOVEA', 'SingleStageDetector'), ('l1',), contracts.AMP_BOUNDS),
    ('TOOD', None, torch.float16),
    ('YOLOF', 'l1', torch.bfloat16),
]


@pytest.mark.parametrize(('family', 'mode', 'dtype'), AMP)
def test_amp_is_near_float32(make_pupil, family, mode, dtype):
    contracts.assert_amp_is_near_float32(*make_pupil(family, mode), dtype)


@pytest.mark.parametrize('family', ONE_STAGE)
def test_remembered_answers_give_the_same_terms(make_pupil, monkeypatch, family):
    """Split into images and joined again, as an AnswerMemory does."""
    student, batch = make_pupil(family)
    batch_norms_in_eval_mode(student)
    head, ask = student.distill_heads[0], student.distill_heads[0].ask

    def ask_one_by_one(student, teacher, inputs, samples, tape):
        parts = []
        for i in (0, 1):
            with teacher.batch([head]):
                answer = ask(student, teacher, inputs[i : i + 1], samples[i : i + 1], tape)
            parts += head.split(answer, 1)
        return head.join(teacher.model, parts, tape)

    expected = distilled(student.loss(*batch))
    monkeypatch.setattr(head, 'ask', ask_one_by_one)
    found = distilled(student.loss(*batch))
    assert expected.keys() == found.keys() and len(found) == 2
    for name, term in expected.items():
        torch.testing.assert_close(found[name], term, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@BOTH
@EACH
def test_learns_from_the_teacher_alone(make_pupil, monkeypatch, family, mode):
    student, batch = make_pupil(family, mode)
    if family in TWO_STAGE:  # the same proposals in every step
        student.eval()
        with torch.no_grad():
            features = student.extract_feat(batch[0])
            proposals = student.rpn_head.predict(features, batch[1], rescale=False)
        student.train()
        monkeypatch.setattr(
            student.rpn_head, 'predict_by_feat', lambda *args, **kwargs: copy.deepcopy(proposals)
        )
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    course = []
    for _ in range(20):
        torch.manual_seed(0)  # the same sample of proposals
        distance = sum(distilled(student.loss(*batch)).values())
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
        course.append(distance.item())
    assert course[-1] < 0.6 * course[0]


ONE_ANCHOR = [
    ('GFL', 'ATSS', {}),
    ('ATSS', 'GFL', {}),
    ('GFL', 'GFL', {'bbox_head.reg_max': 4}),
    ('TOOD', 'PAA', {}),
    ('DDOD', 'TOOD', {}),
    ('YOLOX', 'RTMDet', {}),
    ('RTMDet', 'YOLOX', {}),
]


@pytest.mark.parametrize(('family', 'other', 'changes'), ONE_ANCHOR)
def test_giou_compares_boxes_that_are_written_differently(
    make_pupil, detector, save_teacher, family, other, changes
):
    """Equal anchors; each side decodes its own boxes."""
    student, batch = make_pupil(family, 'giou', save_teacher(detector(other, changes)))
    terms = distilled(student.loss(*batch))
    assert all(term.isfinite() and term > 0 for term in terms.values())


def test_l1_compares_means_of_distributions_of_other_lengths(make_pupil, detector, save_teacher):
    teacher = save_teacher(detector('GFL', {'bbox_head.reg_max': 4}))
    student, batch = make_pupil('GFL', 'l1', teacher)
    assert distilled(student.loss(*batch))['loss_distill_bbox'] > 0


@pytest.mark.parametrize(
    ('family', 'other'), [('GFL', 'ATSS'), ('ATSS', 'GFL'), ('TOOD', 'ATSS'), ('YOLOX', 'RTMDet')]
)
def test_l1_refuses_boxes_that_are_written_differently(
    make_pupil, detector, save_teacher, family, other
):
    with pytest.raises(W2SError, match=r"box coder.*box_form='corners'"):
        make_pupil(family, 'l1', save_teacher(detector(other)))


@pytest.mark.parametrize(('family', 'other'), [('FCOS', 'ATSS'), ('ATSS', 'FCOS')])
@BOTH
def test_points_and_anchors_are_refused(make_pupil, detector, save_teacher, family, other, mode):
    with pytest.raises(W2SError, match='priors'):
        make_pupil(family, mode, save_teacher(detector(other)))


@pytest.mark.parametrize('in_strides', [(True, False), (False, True)])
def test_fcos_in_strides_and_in_pixels(make_pupil, detector, save_teacher, in_strides):
    ours, theirs = ({'bbox_head.norm_on_bbox': value} for value in in_strides)
    student, batch = make_pupil('FCOS', 'l1', save_teacher(detector('FCOS', theirs)), ours)
    sides = []
    student.distill_heads[0].loss_bbox.register_forward_pre_hook(
        lambda _, args: sides.extend(args[:2])
    )
    student.loss(*batch)
    assert all(0.05 < side.mean() < 20 for side in sides)  # both in strides
