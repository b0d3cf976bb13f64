"""How a detection head writes its boxes, brought into a form that two heads share."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from mmdet.models.dense_heads import AnchorHead, FCOSHead, GFLHead, RTMDetHead
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder
from torch import Tensor

from w2s_mm.utils.errors import W2SError


class BoxCode:
    """Boxes of one dense head: raw rows -> four encoded numbers -> corners in pixels.

    This one reads the deltas of a box coder, as anchor heads write them. Other heads have
    subclasses, which :func:`box_code` finds.

    Args:
        head: The dense head.
    """

    channels = 4  # of a raw row

    def __init__(self, head: Any) -> None:
        self.head = head
        self.coder = head.bbox_coder

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        """Raw rows (R, channels) as four numbers (R, 4) of a scale near 1.

        Args:
            rows: What the head gave.
            strides: Strides of the rows' levels in pixels, shape (R, 1).
        """
        return rows

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Boxes x1 y1 x2 y2 in pixels, shape (R, 4).

        Args:
            priors: Anchors (R, 4) or points (R, 2) in pixels.
            encoded: What :meth:`encoded` gave.
            strides: Strides of the rows' levels in pixels, shape (R, 1).
        """
        return self.coder.decode(priors, encoded)

    def compares_with(self, other: BoxCode) -> bool:
        """Whether :meth:`converted` can bring the encoded numbers of ``other`` to this code."""
        return type(self) is type(other) and comparable(self.coder, other.coder)

    def converted(self, encoded: Tensor, other: BoxCode) -> Tensor:
        """The encoded numbers (R, 4) of ``other`` as this code writes them."""
        return rescaled(encoded, other.coder, self.coder)


class DistanceCode(BoxCode):
    """Point heads: distances to the four sides, encoded in strides."""

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        """Distances in strides."""
        # FCOS with normalised boxes gives strides in training and pixels in evaluation.
        in_strides = getattr(self.head, 'norm_on_bbox', False) and self.head.training
        return rows if in_strides else rows / strides

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Boxes around the points."""
        return self.coder.decode(priors, encoded * strides)


class DistanceDistributionCode(BoxCode):
    """GFL (arXiv 2006.04388): distributions over distances, of which the mean is compared."""

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
    """How a dense head writes its boxes; chosen by the head's class.

    A head of your own is added from the module that defines it::

        @box_code.register
        def _(head: MyHead) -> BoxCode:
            return MyCode(head)

    Raises:
        W2SError: Not in a way that is known.
    """
    raise W2SError(
        f'{type(head).__name__} writes its boxes in a way that is not known here. Expected an '
        f'anchor head with box deltas, the head of FCOS, GFL or RTMDet, or one registered with '
        f'w2s_mm.detection.box_code. To leave boxes out: model.distill_head.loss_bbox=None.'
    )


_unknown = box_code.dispatch(object)


@box_code.register
def _(head: AnchorHead) -> BoxCode:
    # Distances mean other things to other heads.
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
    # Whether a subclass still means what FCOS means shows in who computes the output.
    same_output = type(head).forward_single is FCOSHead.forward_single
    if same_output and isinstance(head.bbox_coder, DistancePointBBoxCoder):
        return DistanceCode(head)
    return _unknown(head)


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
