"""Losses that ask for labels."""

from __future__ import annotations

import inspect

from torch import nn


def takes_labels(loss: nn.Module) -> bool:
    """Whether the loss's ``forward`` has a parameter ``labels``.

    Such a loss is given the labels that the student's own loss was computed with: class indices of
    shape (R,), or probabilities of shape (R, C) where images are mixed.
    """
    return 'labels' in inspect.signature(loss.forward).parameters
