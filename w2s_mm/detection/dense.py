"""Two dense heads compared, prior by prior: one-stage detectors and region proposals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.dense_heads import TOODHead, VFNetHead
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from w2s_mm.losses.kl import full_precision
from w2s_mm.utils.errors import W2SError

from .box_codes import box_code, comparable, described, rescaled

Levels = Sequence[Tensor]

# Heads whose outputs mean something else than their class promises, and why.
_UNFIT = {
    VFNetHead: 'it gives other outputs in training than in evaluation',
    TOODHead: 'it gives class probabilities and decoded boxes, not logits and deltas',
}
_NEEDED = ('prior_generator', 'bbox_coder', 'num_classes', 'use_sigmoid_cls', 'cls_out_channels')


class DenseAnswer(NamedTuple):
    """A teacher's raw outputs, L levels of each, and the head that gave them.

    Class scores are of shape (N, A*C, H, W), boxes of shape (N, A*K, H, W) with K = 4 or more.
    """

    scores: Levels
    boxes: Levels
    head: Any


def check_dense(ours: Any, theirs: Any, loss_bbox: nn.Module | None, names: Sequence[str]) -> None:
    """Refuse heads whose classes, priors or boxes cannot be compared.

    Args:
        ours: The student's head.
        theirs: The teacher's head, or None.
        loss_bbox: A :class:`~w2s_mm.detection.BoxDistillLoss`, or None for no box term.
        names: What to call student and teacher.

    Raises:
        W2SError: They differ; the message gives both sides.
    """
    for head, who in zip((theirs, ours), reversed(names), strict=True):
        lacks = [name for name in _NEEDED if not hasattr(head, name)]
        if lacks:
            raise W2SError(
                f'{who} has no dense head that can be compared (it lacks {", ".join(lacks)}). '
                f'Expected heads with sigmoid class scores and priors for both teacher and student.'
            )
        for unfit, why in _UNFIT.items():
            if isinstance(head, unfit):
                raise W2SError(f'{type(head).__name__} cannot be distilled: {why}.')
    for what, found, expected in _facts(ours, theirs):
        if found != expected:
            raise W2SError(
                f'The {what} of teacher and student differ: teacher {found}, student {expected}. '
                f'Choose a teacher whose head agrees with the student.'
            )
    if not ours.use_sigmoid_cls:
        raise W2SError(
            'Focal-logit distillation compares sigmoid class scores, and these heads use softmax. '
            'Choose heads whose loss_cls has use_sigmoid=True.'
        )
    if loss_bbox is not None:
        codes = box_code(ours), box_code(theirs)
        coders = ours.bbox_coder, theirs.bbox_coder
        if loss_bbox.mode == 'l1' and not (
            type(codes[0]) is type(codes[1]) and comparable(*coders)
        ):
            raise W2SError(
                f'The box coder of teacher and student differ: teacher {described(coders[1])}, '
                f'student {described(coders[0])}. Choose a teacher whose head agrees with the '
                f"student, or align decoded boxes: model.distill_head.loss_bbox.mode='giou'."
            )


def _facts(ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """What has to agree, with the teacher's and the student's value; the plainest first."""
    yield 'number of classes', theirs.num_classes, ours.num_classes
    yield 'sigmoid classification', theirs.use_sigmoid_cls, ours.use_sigmoid_cls
    generators = theirs.prior_generator, ours.prior_generator
    found, expected = ([tuple(s) for s in generator.strides] for generator in generators)
    yield 'strides', found, expected
    found, expected = (generator.num_base_priors for generator in generators)
    yield 'priors a place', found, expected
    # Four places of each level show base anchors, offsets and order.
    sizes = [(2, 2)] * len(ours.prior_generator.strides)
    grids = [generator.grid_priors(sizes, device='cpu') for generator in generators]
    for level, pair in enumerate(zip(*grids, strict=True)):
        base = ours.prior_generator.num_base_priors[level]
        found, expected = (grid[: base + 1].round(decimals=3).tolist() for grid in pair)
        yield f'base anchors (priors) of level {level}', found, expected


def compare_dense(
    head: Any,
    output: tuple[Levels, Levels],
    answer: DenseAnswer,
    loss_cls: nn.Module,
    loss_bbox: nn.Module | None,
    temperature: float,
) -> dict[str, Tensor]:
    """Focal-logit term ``cls`` and box term ``bbox`` where the teacher is confident, scalars.

    Args:
        head: The student's head.
        output: Its raw class scores and boxes, as :class:`DenseAnswer` has them.
        answer: The teacher's.
        loss_cls: A :class:`~w2s_mm.detection.FocalLogitDistillLoss`.
        loss_bbox: A :class:`~w2s_mm.detection.BoxDistillLoss`, or None for no box term.
        temperature: ``T(u)``.

    Raises:
        W2SError: The two heads gave maps of different shapes.
    """
    scores, boxes = output
    # Boxes may be written in other numbers of channels (GFL's distributions).
    if [m.shape for m in scores] != [m.shape for m in answer.scores]:
        raise W2SError(
            f'Head outputs differ in shape: teacher {[tuple(m.shape) for m in answer.scores]}, '
            f'student {[tuple(m.shape) for m in scores]}. Choose a teacher with the same '
            f'classes, anchors and strides.'
        )
    logits, teacher_logits = (flatten(m, head.cls_out_channels) for m in (scores, answer.scores))
    best = full_precision(teacher_logits).amax(-1).sigmoid()
    confident = (best >= loss_cls.score_thr).nonzero().squeeze(-1)
    normalizer = count_over_ranks(confident)
    terms = {'cls': loss_cls(logits[confident], teacher_logits[confident], temperature, normalizer)}
    if loss_bbox is not None:
        codes = box_code(head), box_code(answer.head)
        priors, strides = _priors_and_strides(head, scores)
        place = confident % len(priors)
        pair = []
        for code, maps in zip(codes, (boxes, answer.boxes), strict=True):
            rows = flatten(maps, code.channels)[confident]
            encoded = code.encoded(full_precision(rows), strides[place])
            if loss_bbox.mode == 'giou':
                encoded = code.corners(priors[place], encoded, strides[place])
            pair.append(encoded)
        if loss_bbox.mode == 'l1':
            pair[1] = rescaled(pair[1], answer.head.bbox_coder, head.bbox_coder)
        terms['bbox'] = loss_bbox(*pair, best[confident], normalizer)
    return terms


def count_over_ranks(chosen: Tensor) -> Tensor:
    """How many are chosen, at least 1; the mean over ranks, as gradients are, a scalar."""
    count = torch.tensor(float(len(chosen)), device=chosen.device)
    if get_world_size() > 1:
        all_reduce(count, 'mean')
    return count.clamp(min=1.0)


def flatten(maps: Levels, channels: int) -> Tensor:
    """L maps of (N, A*channels, H, W) as one (N * R, channels), priors in MMDetection's order."""
    per_level = [m.permute(0, 2, 3, 1).reshape(m.shape[0], -1, channels) for m in maps]
    return torch.cat(per_level, dim=1).flatten(0, 1)


def _priors_and_strides(head: Any, scores: Levels) -> tuple[Tensor, Tensor]:
    """Of one image: anchors (R, 4) or points (R, 2), and strides (R, 1), in pixels."""
    generator = head.prior_generator
    levels = generator.grid_priors([m.shape[-2:] for m in scores], device=scores[0].device)
    strides = [
        level.new_full((len(level), 1), stride[0])
        for level, stride in zip(levels, generator.strides, strict=True)
    ]
    return torch.cat(list(levels)), torch.cat(strides)


def sigmoid_entropy(logits: Tensor) -> Tensor:
    """Entropy in nats of C independent yes-or-no answers, summed over them: (R, C) to (R,)."""
    logits = full_precision(logits)
    return nn.functional.binary_cross_entropy_with_logits(
        logits, logits.sigmoid(), reduction='none'
    ).sum(-1)


def sigmoid_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(student || teacher) in nats of C independent yes-or-no answers, summed: (R, C) to (R,)."""
    student, teacher = full_precision(student), full_precision(teacher)
    cross = nn.functional.binary_cross_entropy_with_logits(
        teacher, student.sigmoid(), reduction='none'
    )
    return cross.sum(-1) - sigmoid_entropy(student)
