"""The box term that dense and RoI heads share."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from mmdet.models.losses import (
    BoundedIoULoss,
    CIoULoss,
    DIoULoss,
    EIoULoss,
    GIoULoss,
    IoULoss,
    SIoULoss,
)
from torch import Tensor, nn

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

BoxForm = Literal['encoded', 'corners']

_OF_CORNERS = (IoULoss, BoundedIoULoss, GIoULoss, DIoULoss, CIoULoss, EIoULoss, SIoULoss)


def check_threshold(score_thr: float) -> None:
    """Check the score from which a prior or RoI takes part.

    Raises:
        W2SError: ``score_thr`` is out of range.
    """
    checks.number('distill_head.score_thr', score_thr, above=0, below=1)


def check_boxes(box_form: str, loss_bbox: nn.Module | None) -> None:
    """Check the form of the boxes and the box loss.

    Raises:
        W2SError: ``box_form`` is unknown, or the loss needs another form.
    """
    checks.choice('distill_head.box_form', box_form, get_args(BoxForm))
    if box_form == 'encoded' and isinstance(loss_bbox, _OF_CORNERS):
        raise W2SError(
            f'distill_head.loss_bbox is a {type(loss_bbox).__name__}, which needs boxes, and '
            f"box_form='encoded' gives it encoded numbers. Set distill_head.box_form='corners'."
        )


def box_term(
    loss: nn.Module,
    form: BoxForm,
    student: Tensor,
    teacher: Tensor,
    weight: Tensor,
    avg_factor: Tensor,
) -> Tensor:
    r"""Box alignment, weighted by the teacher's confidence.

    .. math:: L = \frac{1}{n} \sum_r w_r\, \ell(b^s_r, b^t_r), \quad w_r = \max_c \sigma(t_{rc})

    The paper aligns box regression with weight beta = 1, the ``loss_weight`` of ``loss``
    (arXiv 2604.15451, sections 3 and 4.1), and does not specify the form.

    Args:
        loss: A box loss of MMDetection, such as ``L1Loss`` (on encoded numbers) or ``GIoULoss`` (on
            corners).
        form: Form of the boxes.
        student: Boxes of the student, shape (R, 4).
        teacher: Boxes of the teacher, shape (R, 4), without gradient.
        weight: ``w``, shape (R,).
        avg_factor: ``n``, a scalar.

    Returns:
        A scalar; 0 if there are no rows.
    """
    if form == 'corners':
        # Distances may be negative (RTMDet without exp_on_reg). Such a teacher box is ignored, and
        # the size of such a student box is 0.
        weight = weight * (teacher[:, 2:] > teacher[:, :2]).all(-1)
        student, teacher = (
            torch.cat([box[:, :2], torch.maximum(box[:, :2], box[:, 2:])], dim=1)
            for box in (student, teacher)
        )
    weights = weight[:, None].expand(-1, 4)
    return loss(student, teacher, weights, avg_factor=avg_factor)
