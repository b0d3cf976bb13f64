import pytest
from torch import nn

from w2s_mm.losses import (
    DecoupledDistillLoss,
    FocalLogitDistillLoss,
    KLDistillLoss,
    SquaredErrorDistillLoss,
    StandardizedDistillLoss,
    takes_labels,
)


class WithLabels(nn.Module):
    def forward(self, pred, target, weight=None, avg_factor=None, labels=None):
        return pred.sum()


class Inherited(WithLabels):
    """Its forward is its base's."""


class KeywordOnly(nn.Module):
    def forward(self, pred, target, *, labels, **kwargs):
        return pred.sum()


class AnythingGoes(nn.Module):
    def forward(self, pred, target, **kwargs):
        return pred.sum()


@pytest.mark.parametrize('kind', [WithLabels, Inherited, KeywordOnly, DecoupledDistillLoss])
def test_a_loss_asks_for_labels_by_naming_them(kind):
    assert takes_labels(kind())


@pytest.mark.parametrize(
    'kind', [AnythingGoes, FocalLogitDistillLoss, KLDistillLoss, SquaredErrorDistillLoss, nn.L1Loss]
)
def test_other_losses_do_not(kind):
    assert not takes_labels(kind())


@pytest.mark.parametrize(('inner', 'needed'), [('Decoupled', True), ('KL', False)])
def test_a_loss_around_another_needs_what_that_one_needs(inner, needed):
    loss = {'type': f'{inner}DistillLoss'}
    for _ in range(2):
        loss = {'type': 'StandardizedDistillLoss', 'loss': loss}
    assert takes_labels(StandardizedDistillLoss(loss)) == needed
