"""KL divergence in both directions, weighed row by row."""

from __future__ import annotations

from mmengine.registry import MODELS
from torch import Tensor
from torch.special import entr

from w2s_mm.utils import checks

from .kl import softmax_kl
from .reduction import RowLoss


@MODELS.register_module()
class BalancedKLDistillLoss(RowLoss):
    r"""Forward and reverse KL divergence, weighed by which side is less certain of a row (BD-KD).

    .. math::
        L = \frac{1}{n} \sum_r w_r\, \big((1 - \nu_r)\, \mathrm{KL}(p_r \,\|\, q_r)
            + \nu_r\, \mathrm{KL}(q_r \,\|\, p_r)\big), \quad
        \nu_r = \begin{cases} \nu & H(q_r) > H(p_r) \\ 1 - \nu & \text{otherwise} \end{cases}

    for :math:`q = \mathrm{softmax}(s)` and :math:`p = \mathrm{softmax}(t)` of student and teacher,
    and the entropy ``H``. The reverse divergence concentrates the student's probability, and counts
    more where the student is less certain than its teacher; the forward one spreads it, and counts
    more elsewhere. After the student's loss of arXiv 2212.12965, which weighs both divergences
    sample by sample, by the entropies. Which divergence counts more in which case, and the weights,
    are our choice here; the weights add up to 1, so that the loss is as large as one divergence.

    Distill heads apply the temperature with :func:`~w2s_mm.losses.tempered`.

    Args:
        emphasis: Weight :math:`\nu` of the divergence that counts more, from 0.5 (both count the
            same) to 1 (only this one does).
        loss_weight: Factor on the loss, at least 0.

    Raises:
        W2SError: An argument is out of range.
    """

    activation = 'softmax'

    def __init__(self, emphasis: float = 0.75, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        checks.number('emphasis', emphasis, least=0.5, most=1)
        self.emphasis = emphasis

    def rows(self, pred: Tensor, target: Tensor) -> Tensor:
        """Weighted sum of both divergences of each row in nats, shape (R,)."""
        ours, theirs = (entr(logits.softmax(-1)).sum(-1) for logits in (pred.detach(), target))
        forward, reverse = (softmax_kl(pred, target, reverse=way) for way in (False, True))
        unsure = ours > theirs
        more, less = reverse.where(unsure, forward), forward.where(unsure, reverse)
        return self.emphasis * more + (1 - self.emphasis) * less
