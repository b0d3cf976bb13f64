"""Comparison of two dense heads, prior by prior: one-stage detectors and region proposals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.dense_heads import TOODHead, VFNetHead
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from w2s_mm.losses import tempered
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

from .box_codes import box_code, described
from .box_loss import BoxForm, box_term
from .places import (
    Levels,
    Places,
    confident_places,
    grid_cells,
    places_of,
    priors_and_strides,
    priors_of,
    rows,
)

# Heads whose outputs are not what their base class suggests, and why.
_UNFIT = {
    VFNetHead: 'its outputs in training and in evaluation differ',
    TOODHead: 'it outputs class probabilities and decoded boxes, not logits and deltas',
}
_NEEDED = ('prior_generator', 'bbox_coder', 'num_classes', 'use_sigmoid_cls', 'cls_out_channels')


class DenseAnswer(NamedTuple):
    """What a teacher outputs at the R priors where it is confident, and its head.

    Only these rows are kept, converted and checked for NaN, not the whole maps.

    Attributes:
        places: Where they are.
        logits: Raw class scores, shape (R, C).
        boxes: Raw boxes, shape (R, K) with K = 4 or more; None where no boxes are compared.
        score: Highest class score of each, shape (R,).
        peak: Largest absolute value among the highest logits of all priors, a scalar. It is not
            finite if one of them is NaN, which would otherwise just not be confident.
        shapes: Shapes of the maps of class scores, (N, A*C, H, W) per level.
        head: The teacher's head.
    """

    places: Places
    logits: Tensor
    boxes: Tensor | None
    score: Tensor
    peak: Tensor
    shapes: list[tuple[int, ...]]
    head: Any


def check_dense(ours: Any, theirs: Any, box_form: BoxForm | None, names: Sequence[str]) -> None:
    """Check that the classes, priors and boxes of two heads can be compared.

    Args:
        ours: The student's head, or None where the detector has none.
        theirs: The teacher's head, or None.
        box_form: Form in which boxes are compared; None for no box term.
        names: Names of student and teacher for error messages.

    Raises:
        W2SError: They cannot; the message shows both sides.
    """
    for head, who in zip((theirs, ours), reversed(names), strict=True):
        lacks = [name for name in _NEEDED if not hasattr(head, name)]
        if lacks:
            raise W2SError(
                f'{who} has no dense head that can be compared (missing: {", ".join(lacks)}). '
                f'Expected heads with sigmoid class scores and priors for both teacher and student.'
            )
        for unfit, why in _UNFIT.items():
            if isinstance(head, unfit):
                raise W2SError(f'{type(head).__name__} cannot be distilled: {why}.')
    for what, found, expected in _facts(ours, theirs):
        if found != expected:
            raise W2SError(
                f'Teacher and student differ in their {what}: teacher {found}, student {expected}. '
                f"Choose a teacher whose head matches the student's."
            )
    if not ours.use_sigmoid_cls:
        raise W2SError(
            'Dense heads are compared by sigmoid class scores, and these heads use softmax. Choose '
            'heads whose loss_cls has use_sigmoid=True.'
        )
    if box_form is not None:
        codes = box_code(ours), box_code(theirs)
        if box_form == 'encoded' and not codes[0].compares_with(codes[1]):
            raise W2SError(
                f'Teacher and student differ in their box coders: teacher '
                f'{described(theirs.bbox_coder)}, student {described(ours.bbox_coder)}. Choose a '
                f"teacher whose head matches the student's, or compare decoded boxes: "
                f"model.distill_head.box_form='corners' with loss_bbox.type='mmdet.GIoULoss'."
            )


def _facts(ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """What must be equal, with the teacher's and the student's value; the simplest first."""
    yield 'number of classes', theirs.num_classes, ours.num_classes
    yield 'sigmoid classification', theirs.use_sigmoid_cls, ours.use_sigmoid_cls
    generators = theirs.prior_generator, ours.prior_generator
    found, expected = ([tuple(s) for s in generator.strides] for generator in generators)
    yield 'strides', found, expected
    found, expected = (generator.num_base_priors for generator in generators)
    yield 'priors per location', found, expected
    # The first location of each level and one anchor of the next show base anchors, offset, order.
    sizes = [(2, 2)] * len(ours.prior_generator.strides)
    grids = [generator.grid_priors(sizes, device='cpu') for generator in generators]
    for level, pair in enumerate(zip(*grids, strict=True)):
        base = ours.prior_generator.num_base_priors[level]
        found, expected = (grid[: base + 1].round(decimals=3).tolist() for grid in pair)
        yield f'base anchors (priors) of level {level}', found, expected


def dense_answer(
    output: tuple[Levels, Levels], head: Any, score_thr: float, with_boxes: bool
) -> DenseAnswer:
    """The rows of a teacher's output where its best class score reaches the threshold.

    Args:
        output: Raw class scores (N, A*C, H, W) and boxes (N, A*K, H, W), L levels of each.
        head: The teacher's head.
        score_thr: Lowest score, at T = 1, of a prior that takes part.
        with_boxes: Whether boxes are compared.
    """
    scores, boxes = output
    places, score, peak = confident_places(scores, head.cls_out_channels, score_thr)
    return DenseAnswer(
        places,
        rows(scores, head.cls_out_channels, places),
        rows(boxes, box_code(head).channels, places) if with_boxes else None,
        score,
        peak,
        [tuple(m.shape) for m in scores],
        head,
    )


def split_dense(answer: DenseAnswer) -> dict[str, Tensor]:
    """The tensors of an answer on one image, which do not depend on the size of the maps."""
    part = {
        'cells': grid_cells(answer.places).to(torch.int16),
        'logits': answer.logits,
        'score': answer.score,
        'peak': answer.peak,
    }
    return part if answer.boxes is None else {**part, 'boxes': answer.boxes}


def join_dense(
    parts: Sequence[dict[str, Tensor]],
    shapes: list[tuple[int, ...]],
    head: Any,
    device: torch.device,
) -> DenseAnswer:
    """The answer on a batch, from those on its images.

    Args:
        parts: N results of :func:`split_dense`.
        shapes: Shapes of the maps of class scores of the batch.
        head: The teacher's head.
        device: Where the answer is to be.
    """
    channels = head.cls_out_channels
    cells = torch.cat([part['cells'] for part in parts])
    image = torch.arange(len(parts)).repeat_interleave(
        torch.tensor([len(part['cells']) for part in parts])
    )
    prior = priors_of(cells, shapes, channels)

    def joined(name: str) -> Tensor:
        return torch.cat([part[name] for part in parts]).to(device)

    return DenseAnswer(
        places_of(shapes, channels, image.to(device), prior.to(device)),
        joined('logits'),
        joined('boxes') if 'boxes' in parts[0] else None,
        joined('score'),
        torch.stack([part['peak'] for part in parts]).amax().to(device),
        shapes,
        head,
    )


def compare_dense(
    head: Any,
    output: tuple[Levels, Levels],
    answer: DenseAnswer,
    loss_cls: nn.Module,
    temperature: float,
    loss_bbox: nn.Module | None = None,
    box_form: BoxForm = 'encoded',
) -> dict[str, Tensor]:
    """Class term ``cls`` and box term ``bbox`` where the teacher is confident, scalars.

    Args:
        head: The student's head.
        output: Its raw class scores and boxes, as in :func:`dense_answer`.
        answer: That of the teacher.
        loss_cls: A loss between sigmoid logits.
        temperature: ``T(u)``.
        loss_bbox: A box loss, or None for no box term.
        box_form: Form of the boxes that it compares.

    Raises:
        W2SError: The outputs of the two heads differ in shape.
    """
    scores, boxes = output
    # Box maps may differ in their number of channels (GFL's distributions).
    if [tuple(m.shape) for m in scores] != answer.shapes:
        raise W2SError(
            f'Head outputs differ in shape: teacher {answer.shapes}, student '
            f'{[tuple(m.shape) for m in scores]}. Choose a teacher with the same classes, anchors '
            f'and strides.'
        )
    count = count_over_ranks(answer.score)
    logits = rows(scores, head.cls_out_channels, answer.places)
    terms = {'cls': tempered(loss_cls, logits, answer.logits, temperature, avg_factor=count)}
    if loss_bbox is not None and answer.boxes is not None:
        codes = box_code(head), box_code(answer.head)
        priors, strides = priors_and_strides(head, scores, answer.places)
        raw = rows(boxes, codes[0].channels, answer.places), answer.boxes
        ours, theirs = (
            code.encoded(full_precision(each), strides)
            for code, each in zip(codes, raw, strict=True)
        )
        if box_form == 'corners':
            ours, theirs = (
                code.corners(priors, encoded, strides)
                for code, encoded in zip(codes, (ours, theirs), strict=True)
            )
        else:
            theirs = codes[0].converted(theirs, codes[1])
        terms['bbox'] = box_term(loss_bbox, box_form, ours, theirs, answer.score, count)
    return terms


def count_over_ranks(rows: Tensor) -> Tensor:
    """Number of rows, at least 1, averaged over ranks as gradients are; a scalar."""
    count = torch.tensor(float(len(rows)), device=rows.device)
    if get_world_size() > 1:
        all_reduce(count, 'mean')
    return count.clamp(min=1.0)


def sigmoid_entropy(logits: Tensor) -> Tensor:
    """Entropy in nats of C independent binary predictions, summed: (R, C) to (R,)."""
    logits = full_precision(logits)
    return nn.functional.binary_cross_entropy_with_logits(
        logits, logits.sigmoid(), reduction='none'
    ).sum(-1)


def sigmoid_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(student || teacher) in nats of C independent binary predictions, summed: to (R,)."""
    student, teacher = full_precision(student), full_precision(teacher)
    cross = nn.functional.binary_cross_entropy_with_logits(
        teacher, student.sigmoid(), reduction='none'
    )
    return cross.sum(-1) - sigmoid_entropy(student)
