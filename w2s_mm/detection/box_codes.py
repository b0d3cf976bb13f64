"""Box encodings of dense heads, and how one is converted to another."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch
from mmdet.models.dense_heads import (
    AnchorHead,
    FCOSHead,
    FoveaHead,
    GFLHead,
    RTMDetHead,
    TOODHead,
    VFNetHead,
    YOLOXHead,
)
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder
from mmdet.structures.bbox import distance2bbox
from torch import Tensor

from w2s_mm.utils.errors import W2SError

from .places import Levels


class BoxCode:
    """Boxes of one dense head: raw rows -> four encoded numbers -> corners in pixels.

    This class handles the deltas of a box coder, the output of anchor heads. Other heads have
    subclasses; :func:`box_code` chooses one.

    Args:
        head: The dense head.
    """

    channels = 4  # per raw row
    uses_coder = True  # whether the head's bbox_coder has a part in its encoding

    def __init__(self, head: Any) -> None:
        self.head = head
        self.coder: Any = head.bbox_coder if self.uses_coder else None

    def maps(self, output: Any) -> Levels:
        """The raw boxes in the head's output, L maps of shape (N, A*channels, H, W)."""
        return output[1]

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
        same = type(self) is type(other)
        return same and (self.coder is None or comparable(self.coder, other.coder))

    def converted(self, encoded: Tensor, other: BoxCode) -> Tensor:
        """Convert the encoded numbers (R, 4) of ``other`` to this code."""
        return rescaled(encoded, other.coder, self.coder)

    def described(self) -> str:
        """Description for an error message."""
        return type(self).__name__ if self.coder is None else described(self.coder)


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


class RefinedDistanceCode(DistanceCode):
    """VFNet (arXiv 2008.13367): the refined distances, which it predicts with.

    In training its output has the initial distances before them.
    """

    def maps(self, output: Any) -> Levels:
        """The last maps of the output."""
        return output[-1]


class LogDistanceCode(BoxCode):
    """FoveaBox (arXiv 1904.03797): logarithms of the distances to the four sides, in strides.

    Raises:
        W2SError: Two levels of the head have the same stride.
    """

    uses_coder = False

    def __init__(self, head: Any) -> None:
        super().__init__(head)
        self.strides = [stride[0] for stride in head.prior_generator.strides]
        if len(set(self.strides)) < len(self.strides):
            raise W2SError(
                f'{type(head).__name__} has levels of the same stride ({self.strides}), of which '
                f'the lengths base_edge_list may differ. Expected another stride for every level.'
            )

    def encoded(self, rows: Tensor, strides: Tensor) -> Tensor:
        """Logarithms of distances in strides; the head's are in lengths of each level."""
        level = (strides == strides.new_tensor(self.strides)).int().argmax(-1)
        lengths = strides.new_tensor(self.head.base_edge_list)[level]
        return rows + (lengths[:, None] / strides).log()

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Boxes around the points."""
        return distance2bbox(priors, encoded.exp() * strides)


class CentreSizeCode(BoxCode):
    """YOLOX (arXiv 2107.08430): centre from the point, and logarithm of the size, in strides."""

    uses_coder = False

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Boxes near the points."""
        return self.head._bbox_decode(torch.cat([priors, strides, strides], dim=1), encoded)


class CornerCode(BoxCode):
    """TOOD (arXiv 2108.07755): corners in strides.

    Two of them differ by as much as the distances from a prior to the four sides, in strides.
    """

    uses_coder = False

    def corners(self, priors: Tensor, encoded: Tensor, strides: Tensor) -> Tensor:
        """Corners in pixels."""
        return encoded * strides


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
        f'deltas, the head of FCOS, FoveaBox, GFL, RTMDet, TOOD, VFNet or YOLOX, or a head '
        f'registered with w2s_mm.detection.box_code. To distill classes only: '
        f'model.distill_head.loss_bbox=None.'
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
def _(head: VFNetHead) -> BoxCode:
    return RefinedDistanceCode(head)


@box_code.register
def _(head: FoveaHead) -> BoxCode:
    return LogDistanceCode(head)


@box_code.register
def _(head: YOLOXHead) -> BoxCode:
    return CentreSizeCode(head)


@box_code.register
def _(head: TOODHead) -> BoxCode:
    return CornerCode(head)


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
