"""Distillation between two dense (one-stage) detection heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.tape import Tape
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.losses.kl import full_precision

from .dense import (
    DenseAnswer,
    check_dense,
    compare_dense,
    flatten,
    sigmoid_divergence,
    sigmoid_entropy,
)


@MODELS.register_module()
class DenseDistillHead(DistillHead):
    """Compares ``bbox_head`` outputs, prior by prior (arXiv 2604.15451, "Object Detection").

    ``L_distill = L_cls-distill + beta * L_box-distill`` over the priors where the teacher's best
    class score reaches the threshold. Works for any MMDetection one-stage head whose forward gives
    sigmoid class scores (N, A*C, H, W) per level and boxes in a form that
    :func:`~w2s_mm.detection.box_codes.box_code` knows, and whose priors are the teacher's.

    Args:
        loss_cls: Config of a :class:`FocalLogitDistillLoss`.
        loss_bbox: Config of a :class:`BoxDistillLoss`; None leaves boxes alone (beta = 0).
    """

    def __init__(self, loss_cls: dict[str, Any], loss_bbox: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.loss_cls = MODELS.build(loss_cls)
        self.loss_bbox = MODELS.build(loss_bbox) if loss_bbox else None

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """The head of the detector."""
        return ('bbox_head',)

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Refuse heads whose classes, priors or box coders differ.

        Raises:
            W2SError: They differ; the message gives both.
        """
        ours, theirs = (getattr(model, 'bbox_head', None) for model in (student, teacher))
        names = [f"{type(model).__name__}'s bbox_head" for model in (student, teacher)]
        check_dense(ours, theirs, self.loss_bbox, names)

    def ask(
        self,
        student: nn.Module,
        teacher: FrozenTeacher,
        inputs: Tensor,
        data_samples: Sequence[Any],
        tape: Tape,
    ) -> DenseAnswer:
        """The teacher's raw head outputs on the same images."""
        images = teacher.see(student, inputs, data_samples)
        scores, boxes = teacher.model(images, mode='tensor')[:2]
        return DenseAnswer(scores, boxes, teacher.model.bbox_head)

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Focal-logit term ``cls`` and box term ``bbox``, scalars.

        Raises:
            W2SError: The two heads gave maps of different shapes.
        """
        output = tape['bbox_head'][-1].output[:2]
        return compare_dense(
            student.bbox_head, output, answer, self.loss_cls, self.loss_bbox, temperature
        )

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Of the class scores, at the priors where they reach the threshold."""
        head: Any = model.bbox_head
        logits = flatten(tape['bbox_head'][-1].output[0], head.cls_out_channels)
        confident = full_precision(logits).amax(-1).sigmoid() >= self.loss_cls.score_thr
        return sigmoid_entropy(logits[confident])

    def divergence(self, student: nn.Module, tape: Tape, answer: DenseAnswer) -> Tensor:
        """Of the class scores, at the priors where the teacher's reach the threshold."""
        channels = answer.head.cls_out_channels
        ours = flatten(tape['bbox_head'][-1].output[0], channels)
        theirs = flatten(answer.scores, channels)
        confident = full_precision(theirs).amax(-1).sigmoid() >= self.loss_cls.score_thr
        return sigmoid_divergence(ours[confident], theirs[confident])
