"""Temperature scaling for any loss between logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from w2s_mm.utils.precision import full_precision


def tempered(
    loss: Callable[..., Tensor],
    pred: Tensor,
    target: Tensor,
    temperature: Tensor | float,
    **kwargs: Any,
) -> Tensor:
    r"""Compute a loss between logits at temperature ``T``: :math:`T^2\,\ell(s / T, t / T)`.

    Equation (2) of arXiv 2604.15451. The factor :math:`T^2` keeps the scale of the gradients, which
    dividing both logits by ``T`` reduces (arXiv 1503.02531, section 2).

    A loss with a method ``at_temperature(pred, target, temperature, **kwargs)`` applies the
    temperature itself, with the factor.

    Args:
        loss: A loss of this package, or any other with the same arguments.
        pred: Student logits, shape (R, C).
        target: Teacher logits, shape (R, C); receives no gradient.
        temperature: ``T(u)``, above 0; a learned one is a scalar tensor.
        **kwargs: Passed on to the loss: ``weight``, ``avg_factor``, ``labels``.
    """
    pred, target = full_precision(pred), full_precision(target.detach())
    if hasattr(loss, 'at_temperature'):
        return loss.at_temperature(pred, target, temperature, **kwargs)
    return temperature**2 * loss(pred / temperature, target / temperature, **kwargs)
