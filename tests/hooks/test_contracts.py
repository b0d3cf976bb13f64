"""Contracts 1 to 3 on the toy, with one head and with an adapter beside it."""

import copy

import pytest
import torch
from mmengine.registry import MODELS

from tests.contracts import StudentContracts
from tests.hooks.toy import ToyNet, make_teacher

HEADS = {
    'one': ({'type': 'ToyDistillHead'}, {'toy'}),
    'adapter': (
        [{'type': 'ToyDistillHead'}, {'type': 'ToyFeatureHead'}],
        {'0.toy', '1.features'},
    ),
}


@pytest.mark.parametrize('heads', HEADS)
class TestToy(StudentContracts):
    @pytest.fixture
    def twins(self, tmp_path, heads):
        teacher = make_teacher(tmp_path)
        torch.manual_seed(0)
        plain = ToyNet().train()
        torch.manual_seed(0)
        head = copy.deepcopy(HEADS[heads][0])
        student = MODELS.build(dict(type='W2SToyNet', teacher=teacher, distill_head=head)).train()
        return student, plain, (torch.randn(4, 3, 2, 2), torch.randn(4))

    def terms(self, student):
        return HEADS['adapter' if len(student.distill_heads) > 1 else 'one'][1]
