"""Distillation between two dense (one-stage) detection heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.probe import Probe, pooled
from w2s_mm.core.registry import build_optional, build_part
from w2s_mm.core.tape import Tape
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.losses import check_activation, takes_labels
from w2s_mm.utils.errors import W2SError

from .box_loss import BoxForm, check_selection
from .dense import (
    DenseAnswer,
    check_dense,
    compare_dense,
    dense_answer,
    join_dense,
    sigmoid_divergence,
    sigmoid_entropy,
    split_dense,
)
from .places import confident_places, rows


@MODELS.register_module()
class DenseDistillHead(DistillHead):
    """Compares ``bbox_head`` outputs, prior by prior (arXiv 2604.15451, "Object Detection").

    ``L_distill = L_cls-distill + beta * L_box-distill`` over the priors where the teacher's best
    class score reaches the threshold. Works with any MMDetection one-stage head that outputs
    sigmoid class scores (N, A*C, H, W) per level and boxes in an encoding that
    :func:`~w2s_mm.detection.box_codes.box_code` supports, and that has the teacher's priors.

    Args:
        loss_cls: Config of a loss between sigmoid logits, by default a
            :class:`~w2s_mm.losses.FocalLogitDistillLoss`.
        loss_bbox: Config of a box loss of MMDetection, whose ``loss_weight`` is the paper's beta;
            None for no box term (beta = 0).
        score_thr: Lowest teacher score of a prior that takes part, in (0, 1); always at T = 1.
        box_form: Form of the boxes that ``loss_bbox`` compares: the encoded output of the heads
            (``'encoded'``, for ``mmdet.L1Loss``; needs comparable box coders), or boxes in pixels
            (``'corners'``, for ``mmdet.GIoULoss``).
        **kwargs: ``weight``, ``schedule`` and ``temperature`` of
            :class:`~w2s_mm.core.distill_head.DistillHead`.

    Raises:
        W2SError: An argument is out of range, or ``loss_cls`` is not one between sigmoid logits, or
            needs labels.
    """

    def __init__(
        self,
        loss_cls: dict[str, Any] | None = None,
        loss_bbox: dict[str, Any] | None = None,
        score_thr: float = 0.2,
        box_form: BoxForm = 'encoded',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        loss_cls = {'type': 'FocalLogitDistillLoss'} if loss_cls is None else loss_cls
        self.loss_cls = build_part(loss_cls, 'distill_head.loss_cls', 'FocalLogitDistillLoss')
        check_activation(self.loss_cls, 'sigmoid', 'distill_head.loss_cls')
        self.loss_bbox = build_optional(loss_bbox, 'distill_head.loss_bbox', 'mmdet.L1Loss')
        check_selection(score_thr, box_form, self.loss_bbox)
        self.score_thr = score_thr
        self.box_form: BoxForm = box_form
        if takes_labels(self.loss_cls):
            raise W2SError(
                f'{type(self.loss_cls).__name__} needs labels, and a dense head assigns them only '
                f'after its forward pass. Choose a loss without labels.'
            )

    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """``bbox_head``."""
        return ('bbox_head',)

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check that the two heads have the same classes and priors, and comparable box coders.

        Raises:
            W2SError: They differ; the message shows both sides.
        """
        ours, theirs = (getattr(model, 'bbox_head', None) for model in (student, teacher))
        names = [f"{type(model).__name__}'s bbox_head" for model in (student, teacher)]
        check_dense(ours, theirs, self.box_form if self.loss_bbox is not None else None, names)

    def ask(
        self,
        student: nn.Module,
        teacher: FrozenTeacher,
        inputs: Tensor,
        data_samples: Sequence[Any],
        tape: Tape,
    ) -> DenseAnswer:
        """The teacher's raw head outputs on the same images, where it is confident."""
        output = teacher.answer(student, inputs, data_samples)[0][:2]
        return dense_answer(
            output, teacher.model.bbox_head, self.score_thr, self.loss_bbox is not None
        )

    def memory_key(self) -> tuple[Any, ...]:
        """The threshold, and whether boxes are kept."""
        return 'dense', self.score_thr, self.loss_bbox is not None

    def split(self, answer: DenseAnswer, count: int) -> list[dict[str, Tensor]]:
        """The confident priors of the one image."""
        return [split_dense(answer)]

    def join(
        self, teacher: nn.Module, parts: Sequence[dict[str, Tensor]], tape: Tape
    ) -> DenseAnswer:
        """The confident priors of all images, at their places in the student's maps."""
        scores = tape.last('bbox_head').output[0]
        shapes = [tuple(m.shape) for m in scores]
        return join_dense(parts, shapes, teacher.bbox_head, scores[0].device)

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Class term ``cls`` and box term ``bbox``, scalars.

        Raises:
            W2SError: The outputs of the two heads differ in shape.
        """
        return compare_dense(
            student.bbox_head,
            tape.last('bbox_head').output[:2],
            answer,
            self.loss_cls,
            temperature,
            self.loss_bbox,
            self.box_form,
        )

    def probe(self) -> Probe:
        """Entropy and divergence of the class scores at the confident priors."""
        return DenseProbe(self.score_thr)


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
        head: Any = model.bbox_head
        scores = tape.last('bbox_head').output[0]
        places = confident_places(scores, head.cls_out_channels, self.score_thr)[0]
        return sigmoid_entropy(rows(scores, head.cls_out_channels, places))

    def divergence(self, student: nn.Module, tape: Tape, answer: DenseAnswer) -> Tensor:
        """KL of the class scores at the priors where the teacher reaches the threshold, (R,)."""
        scores = tape.last('bbox_head').output[0]
        ours = rows(scores, answer.head.cls_out_channels, answer.places)
        return sigmoid_divergence(ours, answer.logits)

    def features(self, model: nn.Module, tape: Tape) -> Tensor:
        """The backbone's last map, pooled over positions, shape (N, K)."""
        return pooled(tape.last('backbone'))
