"""Decoupled distillation: the target class and the other classes, each with a factor of its own."""

from __future__ import annotations

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.utils import checks
from w2s_mm.utils.precision import full_precision

from .kl import softmax_kl
from .reduction import reduced


@MODELS.register_module()
class DecoupledDistillLoss(nn.Module):
    r"""KL divergences of the target class against the rest, and among the other classes (DKD).

    .. math::
        L = \frac{1}{n} \sum_r w_r\, \big(\alpha\, \mathrm{KL}(b^t_r \,\|\, b^s_r)
            + \beta\, \mathrm{KL}(\hat p^t_r \,\|\, \hat p^s_r)\big)

    with the binary distribution :math:`b = (p_y,\, 1 - p_y)` of the labelled class ``y``, and the
    softmax :math:`\hat p` over all classes but ``y``, as in arXiv 2203.08679. The KL divergence of
    all classes is the same with :math:`\alpha = 1` and :math:`\beta = 1 - p^t_y`.

    Distill heads apply the temperature with :func:`~w2s_mm.losses.tempered` and pass the labels of
    the student's own loss.

    Args:
        alpha: Factor of the target class, at least 0. Default: 1, as in the source.
        beta: Factor of the other classes, at least 0. The source chooses it for each pair: its
            code has 8 (the default) for CIFAR-100 and 0.5 for ImageNet.
        loss_weight: Factor on the loss, at least 0.

    Raises:
        W2SError: An argument is out of range.
    """

    activation = 'softmax'

    def __init__(self, alpha: float = 1.0, beta: float = 8.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        for name, value in (('alpha', alpha), ('beta', beta), ('loss_weight', loss_weight)):
            checks.number(name, value, least=0)
        self.alpha = alpha
        self.beta = beta
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        *,
        labels: Tensor,
    ) -> Tensor:
        """Compute the weighted sum over rows, divided by ``avg_factor``.

        Args:
            pred: Student logits, shape (R, C).
            target: Teacher logits, shape (R, C).
            weight: Weight of each row, shape (R,). Default: 1.
            avg_factor: Divisor ``n``. Default: the number of rows.
            labels: Class indices, shape (R,). Of probabilities, shape (R, C), as of mixed images,
                the most probable class is the target.

        Returns:
            A scalar; 0 if there are no rows.
        """
        labels = labels.argmax(-1) if labels.ndim > 1 else labels
        ours, theirs = (_split(full_precision(logits), labels) for logits in (pred, target))
        binary, others = (softmax_kl(*pair) for pair in zip(ours, theirs, strict=True))
        rows = self.alpha * binary + self.beta * others
        return self.loss_weight * reduced(rows, weight, avg_factor)


def _split(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of label against rest, shape (R, 2), and of the other classes, shape (R, C - 1)."""
    label = labels[:, None]
    index = torch.arange(logits.shape[-1] - 1, device=logits.device)
    others = logits.gather(-1, index + (index >= label))  # a mask would wait for the device
    return torch.cat([logits.gather(-1, label), others.logsumexp(-1, keepdim=True)], -1), others
