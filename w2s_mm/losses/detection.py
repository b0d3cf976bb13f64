"""Focal-logit and box distillation for dense detection heads."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.losses.kl import full_precision, temperature_kl
from w2s_mm.utils.errors import W2SError

BoxMode = Literal['l1', 'giou']


def check_masked_loss(score_thr: float, loss_weight: float) -> None:
    """Refuse a teacher-score threshold or a weight that is out of its range.

    Raises:
        W2SError: It is.
    """
    if not 0 < score_thr < 1:
        raise W2SError(f'score_thr is {score_thr}; expected a number between 0 and 1.')
    if not loss_weight >= 0:
        raise W2SError(f'loss_weight is {loss_weight}; expected a number of at least 0.')


@MODELS.register_module()
class FocalLogitDistillLoss(nn.Module):
    r"""Soft-target focal loss between the sigmoid logits of student ``s`` and teacher ``t``.

    .. math::
        L = T^2 \sum_{r \in M} \sum_c |\sigma(s_{rc}/T) - p_{rc}|^{\gamma}\,
            \mathrm{BCE}(\sigma(s_{rc}/T), p_{rc}) \;/\; n, \quad p = \sigma(t/T)

    over the priors ``M`` whose best teacher score :math:`\max_c \sigma(t_{rc})` reaches
    ``score_thr`` (at T = 1, whatever T is). The paper names the term and its T = 2 and threshold
    0.2 (arXiv 2604.15451, section 4.1); the formula is the soft-target form of the focal loss
    (arXiv 1708.02002). For ``focal = 0`` the entropy of ``p``, which has no gradient, is taken
    off; so whatever ``focal`` is, the loss is 0 exactly where student and teacher agree.

    Args:
        score_thr: Teacher score from which a prior takes part, in (0, 1).
        focal: Exponent ``gamma``, 2 as in the focal loss; 0 (soft BCE), or at least 1.
        loss_weight: Factor on the result.

    Raises:
        W2SError: An argument is out of its range.
    """

    def __init__(
        self, score_thr: float = 0.2, focal: float = 2.0, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        check_masked_loss(score_thr, loss_weight)
        if not (focal == 0 or focal >= 1):  # below 1 the gradient is infinite where s equals t
            raise W2SError(f'focal is {focal}; expected 0, or a number of at least 1.')
        self.score_thr = score_thr
        self.focal = focal
        self.loss_weight = loss_weight

    def forward(
        self, student: Tensor, teacher: Tensor, temperature: float, normalizer: Tensor
    ) -> Tensor:
        """Sum over priors and classes, over ``normalizer``.

        Args:
            student: Student logits of the priors in ``M``, shape (R, C).
            teacher: Teacher logits of the same priors, shape (R, C); takes no gradient.
            temperature: ``T(u)``, above 0.
            normalizer: ``n``, a scalar: the number of priors in ``M``, averaged over ranks, at
                least 1.

        Returns:
            A scalar; 0 for no priors.
        """
        logits = full_precision(student) / temperature
        target_logits = full_precision(teacher) / temperature
        target = target_logits.sigmoid()
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
        if self.focal:
            loss = (logits.sigmoid() - target).abs().pow(self.focal) * loss
        else:
            loss = loss - F.binary_cross_entropy_with_logits(
                target_logits, target, reduction='none'
            )
        return self.loss_weight * temperature**2 * loss.sum() / normalizer


@MODELS.register_module()
class SoftmaxKLDistillLoss(nn.Module):
    r"""Temperature KL between the softmax logits of student ``s`` and teacher ``t``.

    .. math::
        L = T^2 \sum_{r \in M} \mathrm{KL}(\mathrm{softmax}(t_r/T) \,\|\, \mathrm{softmax}(s_r/T))
            \;/\; n

    over the RoIs ``M`` whose best foreground probability of the teacher (at T = 1, whatever T is)
    reaches ``score_thr``. The KL is equation (3), the mask and its 0.2 those of the detection
    section (arXiv 2604.15451, section 4.1).

    Args:
        score_thr: Teacher probability from which a RoI takes part, in (0, 1).
        loss_weight: Factor on the result.

    Raises:
        W2SError: An argument is out of its range.
    """

    def __init__(self, score_thr: float = 0.2, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_masked_loss(score_thr, loss_weight)
        self.score_thr = score_thr
        self.loss_weight = loss_weight

    def forward(
        self, student: Tensor, teacher: Tensor, temperature: float, normalizer: Tensor
    ) -> Tensor:
        """Sum over RoIs, over ``normalizer``.

        Args:
            student: Student logits of the RoIs in ``M``, shape (R, C+1).
            teacher: Teacher logits of the same RoIs, shape (R, C+1); takes no gradient.
            temperature: ``T(u)``, above 0.
            normalizer: ``n``, a scalar: the number of RoIs in ``M``, averaged over ranks, at
                least 1.

        Returns:
            A scalar; 0 for no RoIs.
        """
        rows = temperature_kl(student, teacher, temperature)
        return self.loss_weight * rows.sum() / normalizer


@MODELS.register_module()
class BoxDistillLoss(nn.Module):
    r"""Box alignment where the teacher is confident, weighted by how confident.

    .. math:: L = \sum_{r \in M} w_r\, \ell(b^s_r, b^t_r) \;/\; n, \quad w_r = \max_c \sigma(t_{rc})

    with :math:`\ell` the L1 distance of the encoded deltas, summed over the four (``'l1'``), or
    ``1 - GIoU`` of the decoded boxes (``'giou'``, arXiv 1902.09630). The paper aligns box
    regression with weight beta = 1 (arXiv 2604.15451, sections 3 and 4.1) and leaves the form open.

    Args:
        mode: ``'l1'`` needs equal box coders in teacher and student; ``'giou'`` does not.
        loss_weight: The paper's beta.

    Raises:
        W2SError: ``mode`` is unknown or ``loss_weight`` negative.
    """

    def __init__(self, mode: BoxMode = 'l1', loss_weight: float = 1.0) -> None:
        super().__init__()
        if mode not in get_args(BoxMode):
            raise W2SError(f'mode is {mode!r}; expected one of {get_args(BoxMode)}.')
        if not loss_weight >= 0:
            raise W2SError(f'loss_weight is {loss_weight}; expected a number of at least 0.')
        self.mode = mode
        self.loss_weight = loss_weight

    def forward(
        self, student: Tensor, teacher: Tensor, weight: Tensor, normalizer: Tensor
    ) -> Tensor:
        """Weighted sum over priors, over ``normalizer``.

        Args:
            student: Student deltas (``'l1'``) or boxes x1 y1 x2 y2 in pixels (``'giou'``), shape
                (R, 4).
            teacher: The teacher's, shape (R, 4); takes no gradient.
            weight: ``w``, shape (R,).
            normalizer: ``n``, a scalar, as for :class:`FocalLogitDistillLoss`.

        Returns:
            A scalar; 0 for no priors.
        """
        student, teacher = full_precision(student), full_precision(teacher)
        if self.mode == 'l1':
            loss = (student - teacher).abs().sum(-1)
        else:
            from torchvision.ops import generalized_box_iou_loss

            # Distances may be negative (RTMDet without exp_on_reg): then there is no box to
            # follow, and the student's has no size below zero.
            weight = weight * (teacher[:, 2:] > teacher[:, :2]).all(-1)
            student, teacher = (
                torch.cat([box[:, :2], torch.maximum(box[:, :2], box[:, 2:])], dim=1)
                for box in (student, teacher)
            )
            loss = generalized_box_iou_loss(student, teacher, reduction='none')
        return self.loss_weight * (weight * loss).sum() / normalizer
