"""Losses that fit logits of one activation only."""

from __future__ import annotations

from typing import Literal

from torch import nn

from w2s_mm.utils.errors import W2SError

Activation = Literal['softmax', 'sigmoid']
_EXAMPLES = {'softmax': 'KLDistillLoss', 'sigmoid': 'FocalLogitDistillLoss'}


def check_activation(loss: nn.Module, given: Activation, what: str) -> None:
    """Check that a loss fits the logits that a distill head compares.

    Args:
        loss: The loss. It fits all logits if it has no attribute ``activation``, or None.
        given: Activation of the head's logits: one softmax over the classes, or a sigmoid each.
        what: The option that has the loss, for the message.

    Raises:
        W2SError: It does not fit.
    """
    needed = getattr(loss, 'activation', None)
    if needed not in (None, given):
        raise W2SError(
            f'{what}: {type(loss).__name__} compares logits of a {needed}, and this head has those '
            f"of a {given}. Choose a loss between such logits: type='{_EXAMPLES[given]}'."
        )
