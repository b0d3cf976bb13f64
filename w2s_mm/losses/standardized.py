"""Logits without their mean and scale, for any loss between softmax logits."""

from __future__ import annotations

from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, linalg

from .activation import check_activation
from .temperature import tempered
from .wrapper import LossWrapper

_EPS = 1e-7  # of a standard deviation, as in the source's code


@MODELS.register_module()
class StandardizedDistillLoss(LossWrapper):
    r"""Another loss between standardised logits of student ``s`` and teacher ``t``.

    .. math::
        L = T^2\, \ell(z(s) / T, z(t) / T), \quad
        z(x) = \frac{x - \mathrm{mean}(x)}{\mathrm{std}(x)}

    with mean and standard deviation over the C classes of a row, as in arXiv 2403.01427. The
    student then need not reach the range of the teacher's logits. Multiplying the logits of a side
    changes nothing, so the temperature divides the standardised ones. Logits that are all equal
    become 0.

    Sigmoid scores are refused: of each class alone, the distance from 0 is all that they say.

    Args:
        loss: Config of the other loss. Default: a :class:`~w2s_mm.losses.KLDistillLoss`.

    Raises:
        W2SError: ``loss`` is not the config of a loss, or compares sigmoid scores.
    """

    def __init__(self, loss: dict[str, Any] | None = None) -> None:
        super().__init__(loss)
        check_activation(self.loss, 'softmax', 'loss of StandardizedDistillLoss')
        self.activation = 'softmax'

    def at_temperature(
        self, pred: Tensor, target: Tensor, temperature: Tensor | float, **kwargs: Any
    ) -> Tensor:
        """See :meth:`LossWrapper.at_temperature`."""
        pred, target = standardized(pred), standardized(target)
        return tempered(self.loss, pred, target, temperature, **kwargs)


def standardized(logits: Tensor) -> Tensor:
    """Logits with mean 0 and standard deviation 1 in each row, shape (R, C)."""
    centred = logits - logits.mean(-1, keepdim=True)
    deviation = linalg.vector_norm(centred, dim=-1, keepdim=True) / logits.shape[-1] ** 0.5
    # Without a bound, a row of equal logits would have a gradient of 1 / _EPS.
    deviation = deviation.masked_fill(deviation < _EPS, 1.0)
    return centred / deviation
