"""Correlations between the predictions of two models, instead of their distance."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor

from w2s_mm.utils import checks

from .reduction import RowLoss

_EPS = 1e-8  # lower bound of a norm, as in the source's code


@MODELS.register_module()
class RelationDistillLoss(RowLoss):
    r"""Pearson correlations of the class probabilities, within rows and within classes (DIST).

    .. math::
        L = \frac{1}{n} \sum_r w_r\, \Big(\beta\, \big(1 - \rho(q_{r\cdot}, p_{r\cdot})\big)
            + \frac{\gamma}{C} \sum_c \big(1 - \rho(q_{\cdot c}, p_{\cdot c})\big)\Big)

    for the probabilities :math:`q = \mathrm{softmax}(s)` and :math:`p = \mathrm{softmax}(t)` of
    student and teacher, shape (R, C), as in arXiv 2205.10536. The first part compares the classes
    of one row, the second the rows of a batch in one class. Neither depends on the scale of the
    probabilities. ``weight`` and ``avg_factor`` act on both parts, but all rows of the batch count
    in the correlations within classes.

    Distill heads apply the temperature with :func:`~w2s_mm.losses.tempered`. A correlation does not
    become smaller as ``T`` grows, so the factor :math:`T^2` increases this loss.

    Args:
        beta: Factor of the correlation within rows (between classes), at least 0.
        gamma: Factor of the correlation within classes (between rows), at least 0.
        loss_weight: Factor on the loss, at least 0.

    Raises:
        W2SError: An argument is out of range.
    """

    activation = 'softmax'

    def __init__(self, beta: float = 1.0, gamma: float = 1.0, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        checks.number('beta', beta, least=0)
        checks.number('gamma', gamma, least=0)
        self.beta = beta
        self.gamma = gamma

    def rows(self, pred: Tensor, target: Tensor) -> Tensor:
        """Both parts for each row, shape (R,); the second is the same for all rows."""
        ours, theirs = pred.softmax(-1), target.softmax(-1)
        within_rows = 1 - _pearson(ours, theirs, dim=-1)
        within_classes = (1 - _pearson(ours, theirs, dim=0)).mean()
        return self.beta * within_rows + self.gamma * within_classes


def _pearson(x: Tensor, y: Tensor, dim: int) -> Tensor:
    """Correlation along a dimension; 0 where one side is constant."""
    centred = (side - side.mean(dim, keepdim=True) for side in (x, y))
    return F.cosine_similarity(*centred, dim=dim, eps=_EPS)
