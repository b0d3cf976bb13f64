import pytest
from torch import nn

from w2s_mm.losses import (
    BalancedKLDistillLoss,
    DecoupledDistillLoss,
    FocalLogitDistillLoss,
    HardLabelDistillLoss,
    KLDistillLoss,
    RelationDistillLoss,
    SquaredErrorDistillLoss,
    check_activation,
)
from w2s_mm.utils.errors import W2SError


@pytest.mark.parametrize(
    'kind',
    [
        KLDistillLoss,
        BalancedKLDistillLoss,
        DecoupledDistillLoss,
        HardLabelDistillLoss,
        RelationDistillLoss,
    ],
)
def test_a_loss_of_a_softmax_is_refused_for_sigmoids(kind):
    check_activation(kind(), 'softmax', 'loss')
    match = f'loss: {kind.__name__} compares logits of a softmax, .*FocalLogitDistillLoss'
    with pytest.raises(W2SError, match=match):
        check_activation(kind(), 'sigmoid', 'loss')


def test_a_loss_of_sigmoids_is_refused_for_a_softmax():
    check_activation(FocalLogitDistillLoss(), 'sigmoid', 'loss')
    with pytest.raises(W2SError, match=r'compares logits of a sigmoid, .*KLDistillLoss'):
        check_activation(FocalLogitDistillLoss(), 'softmax', 'loss')


@pytest.mark.parametrize('loss', [SquaredErrorDistillLoss(), nn.L1Loss()])
@pytest.mark.parametrize('given', ['softmax', 'sigmoid'])
def test_a_loss_that_does_not_say_fits_both(loss, given):
    check_activation(loss, given, 'loss')
