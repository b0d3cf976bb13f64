"""Distillation between two dense (one-stage) detection heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.models.detectors.single_stage_instance_seg import SingleStageInstanceSegmentor
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.probe import Probe, pooled
from w2s_mm.core.registry import build_optional, build_part
from w2s_mm.core.tape import Tape
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.losses import takes_labels
from w2s_mm.utils.errors import W2SError

from .box_loss import BoxForm, check_boxes, check_threshold
from .dense import (
    DenseAnswer,
    check_dense,
    compare_dense,
    dense_answer,
    join_dense,
    split_dense,
)
from .places import confident_places, grids_of, rows
from .score_codes import score_code


class DenseHead(DistillHead):
    """Base of the heads that compare ``bbox_head`` outputs where the teacher is confident.

    Args:
        score_thr: Lowest teacher score of a prior that takes part, in (0, 1); always at T = 1.
        **kwargs: ``weight``, ``schedule`` and ``temperature`` of
            :class:`~w2s_mm.core.distill_head.DistillHead`.

    Attributes:
        with_boxes: Whether boxes are compared.
    """

    with_boxes = True

    def __init__(self, score_thr: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_threshold(score_thr)
        self.score_thr = score_thr

    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """``bbox_head``."""
        return ('bbox_head',)

    def ask(
        self,
        student: nn.Module,
        teacher: FrozenTeacher,
        inputs: Tensor,
        data_samples: Sequence[Any],
        tape: Tape,
    ) -> DenseAnswer:
        """The teacher's raw head outputs on the same images, where it is confident."""
        model: Any = teacher.model
        if isinstance(model, SingleStageInstanceSegmentor):  # its mode='tensor' needs labels
            output = model.bbox_head(model.extract_feat(teacher.see(student, inputs, data_samples)))
        else:
            output = teacher.answer(student, inputs, data_samples)[0]
        return dense_answer(output, model.bbox_head, self.score_thr, self.with_boxes)

    def memory_key(self) -> tuple[Any, ...]:
        """The threshold, and whether boxes are kept."""
        return 'dense', self.score_thr, self.with_boxes

    def split(self, answer: DenseAnswer, count: int) -> list[dict[str, Tensor]]:
        """The confident priors of the one image."""
        return [split_dense(answer)]

    def join(
        self, teacher: nn.Module, parts: Sequence[dict[str, Tensor]], tape: Tape
    ) -> DenseAnswer:
        """The confident priors of all images, at their places in the student's maps."""
        head: Any = teacher.bbox_head
        scores = tape.last('bbox_head').output[0]
        grids = grids_of(scores, head.cls_out_channels)
        return join_dense(parts, grids, head, scores[0].device)

    def probe(self) -> Probe:
        """Entropy and divergence of the class scores at the confident priors."""
        return DenseProbe(self.score_thr)


@MODELS.register_module()
class DenseDistillHead(DenseHead):
    """Compares ``bbox_head`` outputs, prior by prior (arXiv 2604.15451, "Object Detection").

    ``L_distill = L_cls-distill + beta * L_box-distill`` over the priors where the teacher's best
    class score reaches the threshold. Works with any MMDetection one-stage head that outputs class
    scores (N, A*C, H, W) per level and boxes in an encoding that
    :func:`~w2s_mm.detection.box_codes.box_code` supports, and that has the teacher's priors.

    Args:
        loss_cls: Config of a loss between logits. Default: a
            :class:`~w2s_mm.losses.FocalLogitDistillLoss`, for sigmoid scores. Heads with a softmax
            over classes and background need a :class:`~w2s_mm.losses.KLDistillLoss`.
        loss_bbox: Config of a box loss of MMDetection, whose ``loss_weight`` is the paper's beta;
            None for no box term (beta = 0).
        score_thr: Lowest teacher score of a prior that takes part, in (0, 1); always at T = 1.
        box_form: Form of the boxes that ``loss_bbox`` compares: the encoded output of the heads
            (``'encoded'``, for ``mmdet.L1Loss``; needs comparable box coders), or boxes in pixels
            (``'corners'``, for ``mmdet.GIoULoss``).
        **kwargs: ``weight``, ``schedule`` and ``temperature`` of
            :class:`~w2s_mm.core.distill_head.DistillHead`.

    Raises:
        W2SError: An argument is out of range, or ``loss_cls`` needs labels.
    """

    def __init__(
        self,
        loss_cls: dict[str, Any] | None = None,
        loss_bbox: dict[str, Any] | None = None,
        score_thr: float = 0.2,
        box_form: BoxForm = 'encoded',
        **kwargs: Any,
    ) -> None:
        super().__init__(score_thr, **kwargs)
        self.with_boxes = loss_bbox is not None
        loss_cls = {'type': 'FocalLogitDistillLoss'} if loss_cls is None else loss_cls
        self.loss_cls = build_part(loss_cls, 'distill_head.loss_cls', 'FocalLogitDistillLoss')
        self.loss_bbox = build_optional(loss_bbox, 'distill_head.loss_bbox', 'mmdet.L1Loss')
        check_boxes(box_form, self.loss_bbox)
        self.box_form: BoxForm = box_form
        if takes_labels(self.loss_cls):
            raise W2SError(
                f'{type(self.loss_cls).__name__} needs labels, and a dense head assigns them only '
                f'after its forward pass. Choose a loss without labels.'
            )

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check that the two heads have the same classes and priors, and comparable box coders.

        Raises:
            W2SError: They differ, or the loss does not fit them; the message shows both sides.
        """
        ours, theirs = (getattr(model, 'bbox_head', None) for model in (student, teacher))
        names = [f"{type(model).__name__}'s bbox_head" for model in (student, teacher)]
        form = None if self.loss_bbox is None else self.box_form
        check_dense(ours, theirs, self.loss_cls, form, names)

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Class term ``cls`` and box term ``bbox``, scalars.

        Raises:
            W2SError: The two heads have other numbers of priors.
        """
        return compare_dense(
            student.bbox_head,
            tape.last('bbox_head').output,
            answer,
            self.loss_cls,
            temperature,
            self.loss_bbox,
            self.box_form,
        )


class DenseProbe:
    """What a diagnosis reads from a one-stage detector; see :class:`~w2s_mm.core.probe.Probe`.

    Args:
        score_thr: Lowest score of a prior that counts.
    """

    def __init__(self, score_thr: float) -> None:
        self.score_thr = score_thr

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """``bbox_head`` and ``backbone``."""
        return ('bbox_head', 'backbone')

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Entropy of the class scores at the priors that reach the threshold, shape (R,)."""
        classes = score_code(model.bbox_head)
        scores = classes.maps(tape.last('bbox_head').output)
        places = confident_places(classes.best(scores), self.score_thr)[0]
        return classes.entropy(classes.logits(rows(scores, classes.channels, places)))

    def divergence(self, student: nn.Module, tape: Tape, answer: DenseAnswer) -> Tensor:
        """KL of the class scores at the priors where the teacher reaches the threshold, (R,)."""
        classes = score_code(student.bbox_head)
        scores = classes.maps(tape.last('bbox_head').output)
        ours = classes.logits(rows(scores, classes.channels, answer.places))
        return classes.divergence(ours, answer.logits)

    def features(self, model: nn.Module, tape: Tape) -> Tensor:
        """The backbone's last map, pooled over positions, shape (N, K)."""
        return pooled(tape.last('backbone'))
