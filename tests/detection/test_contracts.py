"""Contracts 1 to 3 on every family of detectors."""

import pytest
import torch

from tests import contracts
from tests.conftest import ONE_STAGE, TWO_STAGE
from w2s_mm.core.teacher import FrozenTeacher

EACH = pytest.mark.parametrize('family', [*ONE_STAGE, *TWO_STAGE])


@pytest.fixture
def twins(detector, build, make_family, make_batch):
    """``twins(family)``: a student, the plain detector with its weights, and a batch."""

    def pair(family):
        student = make_family(family)
        torch.manual_seed(0)
        plain = build(detector(family)).train()
        return student, plain, make_batch(plain, masks=family == 'MaskRCNN')

    return pair


@EACH
def test_weight_zero_is_bitwise_the_plain_detector(twins, monkeypatch, family):
    contracts.assert_baseline_at_weight_zero(*twins(family), monkeypatch)


@EACH
def test_own_losses_buffers_and_rng_stay_bitwise_while_distilling(twins, family):
    terms = contracts.assert_own_part_unchanged(*twins(family))
    stages = ('s0.', 's1.', 's2.') if family == 'CascadeRCNN' else ('',)
    assert terms == {stage + name for stage in stages for name in ('cls', 'bbox')}


@EACH
def test_checkpoints_load_strictly_both_ways(twins, family):
    contracts.assert_checkpoints_fit_both_ways(*twins(family)[:2])


@EACH
def test_teacher_stays_frozen_and_outside(twins, family):
    student, _, batch = twins(family)
    contracts.assert_teacher_untouched(student, [batch])


@EACH
def test_predicting_never_builds_the_teacher(make_family, make_raw, monkeypatch, family):
    monkeypatch.setattr(FrozenTeacher, 'load', lambda self: pytest.fail('the teacher was built'))
    student = make_family(family).eval()
    student.set_distillation(1.0, 2.0)
    assert all('pred_instances' in result for result in student.test_step(make_raw()))


def test_masks_have_the_gradient_of_the_plain_detector(twins):
    student, plain, batch = twins('MaskRCNN')
    student.set_distillation(1.0, 2.0)
    found, expected = contracts.step(student, batch), contracts.step(plain, batch)
    masks = [name for name in expected if name.startswith('grad roi_head.mask_head')]
    assert len(masks) >= 6
    contracts.assert_bitwise(*({name: side[name] for name in masks} for side in (found, expected)))
