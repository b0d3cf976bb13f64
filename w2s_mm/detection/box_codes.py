"""How a detection head writes its boxes, brought into a form that two heads share."""

from __future__ import annotations

from typing import Any, Protocol

from mmdet.models.dense_heads import (
    AnchorHead,
    FCOSHead,
    GFLHead,
    RTMDetHead,
)
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder
from torch import Tensor

from w2s_mm.utils.errors import W2SError


class BoxCode(Protocol):
    """Boxes of one dense head: raw rows -> four encoded numbers -> corners in pixels."""

    channels: int

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        """Raw rows (R, channels) as four numbers (R, 4) of a scale near 1.

        ``strides`` are those of the rows' levels, shape (R, 1), in pixels.
        """

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Boxes x1 y1 x2 y2 in pixels, shape (R, 4)."""


class _Deltas:
    """Anchor heads: deltas of a box coder."""

    channels = 4

    def __init__(self, head: Any) -> None:
        self.coder = head.bbox_coder

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        return rows

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        return self.coder.decode(priors, encoded)


class _Distances:
    """Point heads: distances to the four sides, encoded in strides."""

    channels = 4

    def __init__(self, head: Any) -> None:
        self.head = head
        self.coder = head.bbox_coder

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        # FCOS with normalised boxes says strides in training and pixels in evaluation.
        in_strides = getattr(self.head, 'norm_on_bbox', False) and self.head.training
        return rows if in_strides else rows / strides

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        return self.coder.decode(priors, encoded * strides)


class _DistanceDistributions:
    """GFL (arXiv 2006.04388): distributions over distances, of which the mean is compared."""

    def __init__(self, head: Any) -> None:
        self.head = head
        self.coder = head.bbox_coder
        self.channels = 4 * (head.reg_max + 1)

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        return self.head.integral(rows)

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        return self.coder.decode(self.head.anchor_center(priors), encoded * strides)


def box_code(head: Any) -> BoxCode:
    """How a dense head writes its boxes.

    Raises:
        W2SError: Not in a way that is known here.
    """
    if isinstance(head, GFLHead):
        return _DistanceDistributions(head)
    if isinstance(head.bbox_coder, DistancePointBBoxCoder):
        # Whether a subclass still means what FCOS means shows in who computes the output.
        if isinstance(head, RTMDetHead) or (
            getattr(type(head), 'forward_single', None) is FCOSHead.forward_single
        ):
            return _Distances(head)
    elif isinstance(head, AnchorHead):
        return _Deltas(head)
    raise W2SError(
        f'{type(head).__name__} writes its boxes in a way that is not known here. Expected an '
        f'anchor head with box deltas, or the head of FCOS, GFL or RTMDet. Leave boxes alone with '
        f'model.distill_head.loss_bbox=None.'
    )


def comparable(ours: Any, theirs: Any) -> bool:
    """Whether two box coders' codes lie on scales that :func:`rescaled` can bring together."""
    if type(ours) is not type(theirs):
        return False
    return isinstance(ours, (DeltaXYWHBBoxCoder, DistancePointBBoxCoder)) or (
        vars(ours) == vars(theirs)
    )


def rescaled(deltas: Tensor, theirs: Any, ours: Any) -> Tensor:
    """Deltas (R, 4) of coder ``theirs`` as coder ``ours`` would write them.

    Both normalise the same four numbers, ``(x - mean) / std``, perhaps by other means and stds.
    """
    if not isinstance(ours, DeltaXYWHBBoxCoder) or (
        tuple(ours.means) == tuple(theirs.means) and tuple(ours.stds) == tuple(theirs.stds)
    ):
        return deltas
    plain = deltas * deltas.new_tensor(theirs.stds) + deltas.new_tensor(theirs.means)
    return (plain - deltas.new_tensor(ours.means)) / deltas.new_tensor(ours.stds)


def described(coder: Any) -> str:
    """A box coder as an error names it."""
    return f'{type(coder).__name__} {vars(coder)}'
