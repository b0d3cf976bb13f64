"""Contracts 1 to 3 on image classifiers."""

import pytest
import torch

from tests.contracts import StudentContracts

MIX = {
    'train_cfg': {'augments': [{'type': 'Mixup', 'alpha': 1.0}, {'type': 'CutMix', 'alpha': 1.0}]}
}


@pytest.mark.parametrize('changes', [None, MIX], ids=['plain', 'mixed'])
class TestClassifiers(StudentContracts):
    TERMS = frozenset({'kl'})

    @pytest.fixture
    def twins(self, classifier, build, make_student, make_batch, changes):
        student = make_student(changes)
        torch.manual_seed(0)
        plain = build(classifier(changes)).train()
        return student, plain, make_batch(plain)
