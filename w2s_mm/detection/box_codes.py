"""Box encodings of dense heads, and how one is converted to another."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from mmdet.models.dense_heads import AnchorHead, FCOSHead, GFLHead, RTMDetHead
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder
from torch import Tensor

from w2s_mm.utils.errors import W2SError


class BoxCode:
    """Boxes of one dense head: raw rows -> four encoded numbers -> corners in pixels.

    This class handles the deltas of a box coder, the output of anchor heads. Other heads have
    subclasses; :func:`box_code` chooses one.

    Args:
        head: The dense head.
    """

    channels = 4  # per raw row

    def __init__(self, head: Any) -> None:
        self.head = head
        self.coder = head.bbox_coder

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        """Raw rows (R, channels) as four numbers (R, 4) of a scale near 1.

        Args:
            rows: Output of the head.
            strides: Strides of the rows' levels in pixels, shape (R, 1).
        """
        return rows

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Boxes x1 y1 x2 y2 in pixels, shape (R, 4).

        Args:
            priors: Anchors (R, 4) or points (R, 2) in pixels.
            encoded: Output of :meth:`encoded`.
            strides: Strides of the rows' levels in pixels, shape (R, 1).
        """
        return self.coder.decode(priors, encoded)

    def compares_with(self, other: BoxCode) -> bool:
        """Whether :meth:`converted` can convert the encoded numbers of ``other`` to this code."""
        return type(self) is type(other) and comparable(self.coder, other.coder)

    def converted(self, encoded: Tensor, other: BoxCode) -> Tensor:
        """Convert the encoded numbers (R, 4) of ``other`` to this code."""
        return rescaled(encoded, other.coder, self.coder)


class DistanceCode(BoxCode):
    """Point heads: distances to the four sides, encoded in strides."""

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        """Distances in strides."""
        # FCOS with normalised boxes outputs strides in training and pixels in evaluation.
        in_strides = getattr(self.head, 'norm_on_bbox', False) and self.head.training
        return rows if in_strides else rows / strides

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Boxes around the points."""
        return self.coder.decode(priors, encoded * strides)


class DistanceDistributionCode(BoxCode):
    """GFL (arXiv 2006.04388): distributions over distances, of which the means are compared."""

    def __init__(self, head: Any) -> None:
        super().__init__(head)
        self.channels = 4 * (head.reg_max + 1)

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        """Mean distances in strides."""
        return self.head.integral(rows)

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Boxes around the centres of the anchors."""
        return self.coder.decode(self.head.anchor_center(priors), encoded * strides)


@singledispatch
def box_code(head: Any) -> BoxCode:
    """Box encoding of a dense head, chosen by the head's class.

    To support a head of your own, register a function in the module that defines the head::

        @box_code.register
        def _(head: MyHead) -> BoxCode:
            return MyCode(head)

    Raises:
        W2SError: The head's box encoding is unknown.
    """
    raise W2SError(
        f'The box encoding of {type(head).__name__} is unknown. Expected an anchor head with box '
        f'deltas, the head of FCOS, GFL or RTMDet, or a head registered with '
        f'w2s_mm.detection.box_code. To distill classes only: model.distill_head.loss_bbox=None.'
    )


_unknown = box_code.dispatch(object)


@box_code.register
def _(head: AnchorHead) -> BoxCode:
    # Other heads define distances in other ways.
    return _unknown(head) if isinstance(head.bbox_coder, DistancePointBBoxCoder) else BoxCode(head)


@box_code.register
def _(head: GFLHead) -> BoxCode:
    return DistanceDistributionCode(head)


@box_code.register
def _(head: RTMDetHead) -> BoxCode:
    distances = isinstance(head.bbox_coder, DistancePointBBoxCoder)
    return DistanceCode(head) if distances else BoxCode(head)


@box_code.register
def _(head: FCOSHead) -> BoxCode:
    # A subclass that overrides forward_single may output something else.
    same_output = type(head).forward_single is FCOSHead.forward_single
    if same_output and isinstance(head.bbox_coder, DistancePointBBoxCoder):
        return DistanceCode(head)
    return _unknown(head)


def comparable(ours: Any, theirs: Any) -> bool:
    """Whether :func:`rescaled` can convert between the codes of two box coders."""
    if type(ours) is not type(theirs):
        return False
    return isinstance(ours, (DeltaXYWHBBoxCoder, DistancePointBBoxCoder)) or (
        vars(ours) == vars(theirs)
    )


def rescaled(deltas: Tensor, theirs: Any, ours: Any) -> Tensor:
    """Convert deltas (R, 4) of coder ``theirs`` to those of coder ``ours``.

    Both normalise the same four numbers, ``(x - mean) / std``; means and stds may differ.
    """
    if not isinstance(ours, DeltaXYWHBBoxCoder) or (
        tuple(ours.means) == tuple(theirs.means) and tuple(ours.stds) == tuple(theirs.stds)
    ):
        return deltas
    plain = deltas * deltas.new_tensor(theirs.stds) + deltas.new_tensor(theirs.means)
    return (plain - deltas.new_tensor(ours.means)) / deltas.new_tensor(ours.stds)


def described(coder: Any) -> str:
    """Description of a box coder for an error message."""
    return f'{type(coder).__name__} {vars(coder)}'
