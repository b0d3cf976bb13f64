"""Losses around another loss: they change its logits or its temperature."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from w2s_mm.core.registry import build_part

from .temperature import tempered


class LossWrapper(nn.Module):
    """Base of the losses around another loss, which set its logits and temperature themselves.

    :func:`~w2s_mm.losses.tempered` calls :meth:`at_temperature` with undivided logits.

    Args:
        loss: Config of the other loss. Default: a :class:`~w2s_mm.losses.KLDistillLoss`.

    Raises:
        W2SError: ``loss`` is not the config of a loss.
    """

    def __init__(self, loss: dict[str, Any] | None = None) -> None:
        super().__init__()
        loss = {'type': 'KLDistillLoss'} if loss is None else loss
        self.loss = build_part(loss, f'loss of {type(self).__name__}', 'KLDistillLoss')
        self.activation = getattr(self.loss, 'activation', None)

    @abstractmethod
    def at_temperature(
        self, pred: Tensor, target: Tensor, temperature: Tensor | float, **kwargs: Any
    ) -> Tensor:
        """Compute the loss at temperature ``T``, with its factor ``T^2``.

        Args:
            pred: Student logits, shape (R, C), in full precision.
            target: Teacher logits, shape (R, C), detached.
            temperature: ``T(u)``, or a learned one, a scalar tensor.
            **kwargs: Passed on to the other loss: ``weight``, ``avg_factor``, ``labels``.
        """

    def forward(self, pred: Tensor, target: Tensor, **kwargs: Any) -> Tensor:
        """Compute the loss at T = 1; the arguments are those of :meth:`at_temperature`."""
        return tempered(self, pred, target, 1.0, **kwargs)
