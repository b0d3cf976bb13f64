"""Comparison of two dense heads, prior by prior: one-stage detectors and region proposals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from w2s_mm.losses import Activation, check_activation, tempered
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

from .box_codes import box_code
from .box_loss import BoxForm, box_term
from .places import (
    Grids,
    Places,
    confident_places,
    grid_cells,
    grids_of,
    places_of,
    priors_and_strides,
    priors_of,
    rows,
)
from .score_codes import score_code

_NEEDED = ('prior_generator', 'num_classes', 'use_sigmoid_cls', 'cls_out_channels')


class DenseAnswer(NamedTuple):
    """What a teacher outputs at the R priors where it is confident, and its head.

    Only these rows are kept, converted and checked for NaN, not the whole maps.

    Attributes:
        places: Where they are.
        logits: Logits of the classes, shape (R, C); of classes and background, shape (R, C+1), if
            they have a softmax.
        boxes: Raw boxes, shape (R, K) with K = 4 or more; None where no boxes are compared.
        score: Highest class score of each, shape (R,).
        peak: Largest absolute value among the highest logits of all priors, a scalar. It is not
            finite if one of them is NaN, which would otherwise just not be confident.
        grids: Its priors, (N, A, H, W) per level.
        head: The teacher's head.
    """

    places: Places
    logits: Tensor
    boxes: Tensor | None
    score: Tensor
    peak: Tensor
    grids: Grids
    head: Any


def check_dense(
    ours: Any, theirs: Any, loss_cls: nn.Module, box_form: BoxForm | None, names: Sequence[str]
) -> None:
    """Check that the classes, priors and boxes of two heads can be compared.

    Args:
        ours: The student's head, or None where the detector has none.
        theirs: The teacher's head, or None.
        loss_cls: The loss between their class logits.
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
                f'Expected heads with class scores and priors for both teacher and student.'
            )
    for what, found, expected in _facts(ours, theirs):
        if found != expected:
            raise W2SError(
                f'Teacher and student differ in their {what}: teacher {found}, student {expected}. '
                f"Choose a teacher whose head matches the student's."
            )
    given: Activation = 'sigmoid' if ours.use_sigmoid_cls else 'softmax'
    check_activation(loss_cls, given, f'The loss of {names[0]}')
    if box_form is not None:
        codes = box_code(ours), box_code(theirs)
        if box_form == 'encoded' and not codes[0].compares_with(codes[1]):
            raise W2SError(
                f'Teacher and student differ in their box coders: teacher '
                f'{codes[1].described()}, student {codes[0].described()}. Choose a teacher whose '
                f"head matches the student's, or compare decoded boxes: "
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


def dense_answer(output: Any, head: Any, score_thr: float, with_boxes: bool) -> DenseAnswer:
    """The rows of a teacher's output where its best class score reaches the threshold.

    Args:
        output: Output of the head, such as class scores (N, A*C, H, W) and boxes (N, A*K, H, W), L
            levels of each.
        head: The teacher's head.
        score_thr: Lowest score, at T = 1, of a prior that takes part.
        with_boxes: Whether boxes are compared.
    """
    classes = score_code(head)
    scores = classes.maps(output)
    places, score, peak = confident_places(classes.best(scores), score_thr)
    boxes = None
    if with_boxes:
        code = box_code(head)
        boxes = rows(code.maps(output), code.channels, places)
    logits = classes.logits(rows(scores, classes.channels, places))
    return DenseAnswer(places, logits, boxes, score, peak, grids_of(scores, classes.channels), head)


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
    parts: Sequence[dict[str, Tensor]], grids: Grids, head: Any, device: torch.device
) -> DenseAnswer:
    """The answer on a batch, from those on its images.

    Args:
        parts: N results of :func:`split_dense`.
        grids: The priors of the batch.
        head: The teacher's head.
        device: Where the answer is to be.
    """
    cells = torch.cat([part['cells'] for part in parts])
    image = torch.arange(len(parts)).repeat_interleave(
        torch.tensor([len(part['cells']) for part in parts])
    )
    prior = priors_of(cells, grids)

    def joined(name: str) -> Tensor:
        return torch.cat([part[name] for part in parts]).to(device)

    return DenseAnswer(
        places_of(grids, image.to(device), prior.to(device)),
        joined('logits'),
        joined('boxes') if 'boxes' in parts[0] else None,
        joined('score'),
        torch.stack([part['peak'] for part in parts]).amax().to(device),
        grids,
        head,
    )


def compare_dense(
    head: Any,
    output: Any,
    answer: DenseAnswer,
    loss_cls: nn.Module,
    temperature: float,
    loss_bbox: nn.Module | None = None,
    box_form: BoxForm = 'encoded',
) -> dict[str, Tensor]:
    """Class term ``cls`` and box term ``bbox`` where the teacher is confident, scalars.

    Args:
        head: The student's head.
        output: Its output, as in :func:`dense_answer`.
        answer: That of the teacher.
        loss_cls: A loss between the logits of the classes.
        temperature: ``T(u)``.
        loss_bbox: A box loss, or None for no box term.
        box_form: Form of the boxes that it compares.

    Raises:
        W2SError: The two heads have other numbers of priors.
    """
    classes = score_code(head)
    scores = classes.maps(output)
    grids = grids_of(scores, classes.channels)
    if grids != answer.grids:
        raise W2SError(
            f'Head outputs differ in their priors (images, priors per location, rows, columns of '
            f'each level): teacher {answer.grids}, student {grids}. Choose a teacher with the same '
            f'anchors and strides.'
        )
    count = count_over_ranks(answer.score)
    logits = classes.logits(rows(scores, classes.channels, answer.places))
    terms = {'cls': tempered(loss_cls, logits, answer.logits, temperature, avg_factor=count)}
    if loss_bbox is not None and answer.boxes is not None:
        codes = box_code(head), box_code(answer.head)
        priors, strides = priors_and_strides(head, scores, answer.places)
        raw = rows(codes[0].maps(output), codes[0].channels, answer.places), answer.boxes
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
