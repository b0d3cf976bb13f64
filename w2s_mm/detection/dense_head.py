"""Distillation between two dense (one-stage) detection heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.errors import W2SError
from w2s_mm.core.losses import full_precision
from w2s_mm.core.tape import Tape
from w2s_mm.core.teacher import FrozenTeacher

Levels = Sequence[Tensor]

_NEEDED = ('prior_generator', 'bbox_coder', 'num_classes', 'use_sigmoid_cls', 'cls_out_channels')


class Answer(NamedTuple):
    """The teacher's class scores (N, A*C, H, W) and deltas (N, A*4, H, W), L levels of each."""

    scores: Levels
    deltas: Levels
    coder: Any


@MODELS.register_module()
class DenseDistillHead(DistillHead):
    """Compares ``bbox_head`` outputs, prior by prior (arXiv 2604.15451, "Object Detection").

    ``L_distill = L_cls-distill + beta * L_box-distill`` over the priors where the teacher's best
    class score reaches the threshold. Works for any MMDetection one-stage head whose forward gives
    sigmoid class scores (N, A*C, H, W) and box deltas (N, A*4, H, W) per level, and whose priors
    are the teacher's.

    Args:
        loss_cls: Config of a :class:`FocalLogitDistillLoss`.
        loss_bbox: Config of a :class:`BoxDistillLoss`; None leaves boxes alone (beta = 0).
    """

    taps: ClassVar[tuple[str, ...]] = ('bbox_head',)

    def __init__(self, loss_cls: dict[str, Any], loss_bbox: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.loss_cls = MODELS.build(loss_cls)
        self.loss_bbox = MODELS.build(loss_bbox) if loss_bbox else None

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Refuse heads whose classes, priors or box coders differ.

        Raises:
            W2SError: They differ; the message gives both.
        """
        theirs = getattr(teacher, 'bbox_head', None)
        ours: Any = student.bbox_head
        for head, who in ((theirs, teacher), (ours, student)):
            lacks = [name for name in _NEEDED if not hasattr(head, name)]
            if lacks:
                raise W2SError(
                    f'{type(who).__name__} has no dense bbox_head that can be compared (it lacks '
                    f'{", ".join(lacks)}). Expected one-stage detectors with sigmoid class scores '
                    f'and box deltas for both teacher and student.'
                )
        facts = {
            'number of classes': lambda head: head.num_classes,
            'sigmoid classification': lambda head: head.use_sigmoid_cls,
            'strides': lambda head: [tuple(s) for s in head.prior_generator.strides],
            'priors a place': lambda head: head.prior_generator.num_base_priors,
            'base anchors of each level': _base_anchors,
        }
        if self.loss_bbox is not None and self.loss_bbox.mode == 'l1':
            facts['box coder'] = _coder
        for what, read in facts.items():
            found, expected = read(theirs), read(ours)
            if found != expected:
                hint = (
                    " (or align decoded boxes: model.distill_head.loss_bbox.mode='giou')"
                    if what == 'box coder'
                    else ''
                )
                raise W2SError(
                    f'The {what} of teacher and student differ: teacher {found}, student '
                    f'{expected}. Choose a teacher whose head agrees with the student{hint}.'
                )
        if not ours.use_sigmoid_cls:
            raise W2SError(
                'Focal-logit distillation compares sigmoid class scores, and these heads use '
                'softmax. Choose heads whose loss_cls has use_sigmoid=True.'
            )

    def ask(
        self,
        student: nn.Module,
        teacher: FrozenTeacher,
        inputs: Tensor,
        data_samples: Sequence[Any],
        tape: Tape,
    ) -> Answer:
        """The teacher's raw head outputs on the same images."""
        images = teacher.see(student, inputs, data_samples)
        scores, deltas = teacher.model(images, mode='tensor')[:2]
        return Answer(scores, deltas, teacher.model.bbox_head.bbox_coder)

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Focal-logit term ``cls`` and box term ``bbox``, scalars.

        Raises:
            W2SError: The two heads gave maps of different shapes.
        """
        head: Any = student.bbox_head
        scores, deltas = tape['bbox_head'][-1].output[:2]
        for ours, theirs in ((scores, answer.scores), (deltas, answer.deltas)):
            if [m.shape for m in ours] != [m.shape for m in theirs]:
                raise W2SError(
                    f'Head outputs differ in shape: teacher {[tuple(m.shape) for m in theirs]}, '
                    f'student {[tuple(m.shape) for m in ours]}. Choose a teacher with the same '
                    f'classes, anchors and strides.'
                )
        logits = _flatten(scores, head.cls_out_channels)
        boxes = [_flatten(side, 4) for side in (deltas, answer.deltas)]
        if len(boxes[0]) != len(logits):
            raise W2SError(
                f'This head gives {len(boxes[0])} boxes of 4 numbers for {len(logits)} priors '
                f'(scores {tuple(scores[0].shape)}, boxes {tuple(deltas[0].shape)} in the first '
                f'level). Expected one box of 4 a prior; distributions over distances do not fit.'
            )
        teacher_logits = _flatten(answer.scores, head.cls_out_channels)
        best = full_precision(teacher_logits).amax(-1).sigmoid()
        confident = (best >= self.loss_cls.score_thr).nonzero().squeeze(-1)
        count = best.new_tensor(float(confident.numel()))
        if get_world_size() > 1:  # gradients are averaged over ranks, so the count is too
            all_reduce(count, 'mean')
        normalizer = count.clamp(min=1.0)

        terms = {
            'cls': self.loss_cls(
                logits[confident], teacher_logits[confident], temperature, normalizer
            )
        }
        if self.loss_bbox is not None:
            pair = [side[confident] for side in boxes]
            if self.loss_bbox.mode == 'giou':
                anchors = _priors(head, scores)
                anchors = anchors[confident % len(anchors)]
                coders = (head.bbox_coder, answer.coder)
                pair = [
                    coder.decode(anchors, full_precision(side))
                    for coder, side in zip(coders, pair, strict=True)
                ]
            terms['bbox'] = self.loss_bbox(*pair, best[confident], normalizer)
        return terms


def _flatten(maps: Levels, channels: int) -> Tensor:
    """L maps of (N, A*channels, H, W) as one (N * R, channels), priors in MMDetection's order."""
    per_level = [m.permute(0, 2, 3, 1).reshape(m.shape[0], -1, channels) for m in maps]
    return torch.cat(per_level, dim=1).flatten(0, 1)


def _priors(head: Any, scores: Levels) -> Tensor:
    """Anchor boxes of one image in pixels, shape (R, 4)."""
    sizes = [m.shape[-2:] for m in scores]
    return torch.cat(head.prior_generator.grid_priors(sizes, device=scores[0].device))


def _base_anchors(head: Any) -> list[list[list[float]]]:
    anchors = getattr(head.prior_generator, 'base_anchors', ())
    return [[[round(x, 3) for x in box] for box in level.tolist()] for level in anchors]


def _coder(head: Any) -> tuple[str, Any, Any]:
    coder = head.bbox_coder
    return (
        type(coder).__name__,
        tuple(getattr(coder, 'means', ())),
        tuple(getattr(coder, 'stds', ())),
    )
