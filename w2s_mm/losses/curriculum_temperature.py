"""A temperature that is learned against the student."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.autograd import Function

from w2s_mm.utils import checks

from .temperature import tempered
from .wrapper import LossWrapper


@MODELS.register_module()
class CurriculumTemperatureLoss(LossWrapper):
    r"""Another loss at a temperature that is learned to increase it, ever more strongly (CTKD).

    .. math::
        L = \tau^2\, \ell(s / \tau, t / \tau), \quad
        \tau = \tau_\mathrm{low} + (\tau_\mathrm{high} - \tau_\mathrm{low})\, \sigma(\theta)

    The student descends on ``L``. The parameter :math:`\theta`, which begins at 1, receives the
    reversed gradient :math:`-\mu_n\, \partial L / \partial \theta`, and so ascends. Its strength
    grows with the number ``n`` of calls from 0 to :math:`\mu`:

    .. math:: \mu_n = \frac{\mu}{2} \Big(1 - \cos\big(\pi \min(n / n_\mathrm{max}, 1)\big)\Big)

    The global temperature of arXiv 2211.16231. The student's optimizer trains :math:`\theta` too;
    checkpoints have it and ``n``. The temperature of the hook or head has no effect. A loss that
    detaches ``target`` would leave out half of the gradient; those of this package do not.

    Args:
        loss: Config of the other loss. Default: a :class:`~w2s_mm.losses.KLDistillLoss`.
        low: Lowest temperature, above 0. Default: the source's.
        high: Highest temperature, above ``low``. Default: the source's.
        curriculum: Number of calls :math:`n_\mathrm{max}` until the full strength: one an
            iteration in a classifier, one for each stage in a RoI head.
        strength: Full strength :math:`\mu`, above 0. It multiplies the learning rate of
            :math:`\theta`, which is the student's.

    Raises:
        W2SError: ``loss`` is not the config of a loss, or an argument is out of range.
    """

    calls: Tensor

    def __init__(
        self,
        loss: dict[str, Any] | None = None,
        low: float = 1.0,
        high: float = 21.0,
        curriculum: int = 1000,
        strength: float = 1.0,
    ) -> None:
        super().__init__(loss)
        checks.number('low', low, above=0)
        checks.number('high', high, above=low, hint='The lowest is low.')
        checks.whole_number('curriculum', curriculum)
        checks.number('strength', strength, above=0)
        self.low = low
        self.high = high
        self.curriculum = curriculum
        self.strength = strength
        self.theta = nn.Parameter(torch.ones(()))
        self.register_buffer('calls', torch.zeros((), dtype=torch.long))

    def at_temperature(
        self, pred: Tensor, target: Tensor, temperature: Tensor | float, **kwargs: Any
    ) -> Tensor:
        """Compute the loss at the learned temperature, whatever ``temperature`` is."""
        done = (self.calls / self.curriculum).clamp(max=1.0)
        strength = self.strength / 2 * (1 - torch.cos(math.pi * done))
        if torch.is_grad_enabled():
            self.calls += 1
        theta = _Reversed.apply(self.theta, strength)
        learned = self.low + (self.high - self.low) * theta.sigmoid()
        return tempered(self.loss, pred, target, learned, **kwargs)


class _Reversed(Function):
    """The identity; its gradient is multiplied by ``-strength`` (arXiv 1409.7495)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: Tensor) -> Tensor:
        ctx.strength = strength
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradient, None
