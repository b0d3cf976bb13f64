"""Contracts 1 to 3 on every family of detectors."""

import pytest
import torch

from tests import contracts
from tests.one_stage import ONE_STAGE
from tests.two_stage import TWO_STAGE
from w2s_mm.core.teacher import FrozenTeacher

FAMILIES = [*ONE_STAGE, *TWO_STAGE]


@pytest.fixture
def family():
    """Masks have a test of their own."""
    return 'MaskRCNN'


@pytest.fixture
def twins(detector, build, make_family, make_batch, family):
    student = make_family(family)
    torch.manual_seed(0)
    plain = build(detector(family)).train()
    return student, plain, make_batch(plain, masks=family in ('MaskRCNN', 'YOLACT'))


@pytest.mark.parametrize('family', FAMILIES)
class TestDetectors(contracts.StudentContracts):
    def terms(self, student):
        stages = ('s0.', 's1.', 's2.') if type(student).__name__ == 'W2SCascadeRCNN' else ('',)
        return {stage + name for stage in stages for name in ('cls', 'bbox')}


@pytest.mark.parametrize('family', FAMILIES)
def test_predicting_never_builds_the_teacher(make_family, make_raw, monkeypatch, family):
    monkeypatch.setattr(FrozenTeacher, 'load', lambda self: pytest.fail('the teacher was built'))
    student = make_family(family).eval()
    student.set_distillation(1.0, 2.0)
    assert all('pred_instances' in result for result in student.test_step(make_raw()))


def test_masks_have_the_gradient_of_the_plain_detector(twins):
    student, plain, batch = twins
    student.set_distillation(1.0, 2.0)
    found, expected = contracts.step(student, batch), contracts.step(plain, batch)
    masks = [name for name in expected if name.startswith('grad roi_head.mask_head')]
    assert len(masks) >= 6
    contracts.assert_bitwise(*({name: side[name] for name in masks} for side in (found, expected)))
