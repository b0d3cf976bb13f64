"""The teacher's class as a label."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from .reduction import RowLoss


@MODELS.register_module()
class HardLabelDistillLoss(RowLoss):
    r"""Cross-entropy of the student's logits ``s`` with the teacher's most probable class.

    .. math::
        L = -\frac{1}{n} \sum_r w_r \log \mathrm{softmax}(s_r)_{\hat y_r}, \quad
        \hat y_r = \arg\max_c t_{rc}

    The hard-label distillation of arXiv 2012.12877 (DeiT), without its distillation token: the
    student's one output learns both labels. It has no temperature, so the schedule's has no effect.

    Args:
        loss_weight: Factor on the loss, at least 0.

    Raises:
        W2SError: ``loss_weight`` is negative.
    """

    activation = 'softmax'

    def rows(self, pred: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy of each row in nats, shape (R,)."""
        return F.cross_entropy(pred, target.argmax(-1), reduction='none')

    def at_temperature(
        self, pred: Tensor, target: Tensor, temperature: Tensor | float, **kwargs: Any
    ) -> Tensor:
        """Compute the loss at T = 1, whatever ``temperature`` is."""
        return self(pred, target, **kwargs)
