"""Losses that need labels."""

from __future__ import annotations

import inspect

from torch import nn

from .wrapper import LossWrapper


def takes_labels(loss: nn.Module) -> bool:
    """Whether the loss's ``forward``, or that of a loss inside, has a parameter ``labels``.

    Such a loss receives the labels that the student's own loss was computed with: class indices of
    shape (R,), or probabilities of shape (R, C) if images are mixed.
    """
    if isinstance(loss, LossWrapper):
        return takes_labels(loss.loss)
    return 'labels' in inspect.signature(loss.forward).parameters
