"""The mask term of two-stage detectors, on the RoIs that the student trains its masks with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from torch import Tensor, nn

from w2s_mm.core.tape import Tape
from w2s_mm.losses import tempered
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

from .dense import count_over_ranks


class MaskAnswer(NamedTuple):
    """A teacher's masks of the R confident RoIs of one stage.

    Attributes:
        confident: Indices of the RoIs among those of the student's mask head, shape (R,).
        label: The teacher's top class of each, shape (R,).
        logits: Mask logits of that class, shape (R, H*W).
    """

    confident: Tensor
    label: Tensor
    logits: Tensor


def mask_taps(model: Any) -> list[tuple[str, str]]:
    """Names of the RoI extractor and the mask head of each stage."""
    names = 'roi_head.mask_roi_extractor', 'roi_head.mask_head'
    if not isinstance(model.roi_head.mask_head, nn.ModuleList):
        return [names]
    return [(f'{names[0]}.{i}', f'{names[1]}.{i}') for i in range(len(model.roi_head.mask_head))]


def check_masks(student: Any, teacher: Any) -> None:
    """Check that both have mask heads, of the same size of masks.

    Raises:
        W2SError: They have not; the message shows both sides.
    """
    sizes = []
    for model in (teacher, student):
        name, roi_head = type(model).__name__, model.roi_head
        if not roi_head.with_mask or roi_head.share_roi_extractor:
            lack = 'uses the features of its boxes for masks' if roi_head.with_mask else 'has none'
            raise W2SError(
                f'loss_mask compares mask heads with a RoI extractor of their own, and {name} '
                f'{lack}. Expected Mask R-CNN or Cascade Mask R-CNN for both teacher and student, '
                f'or model.distill_head.loss_mask=None.'
            )
        found = set()
        for names in mask_taps(model):
            extractor, head = (model.get_submodule(tap) for tap in names)
            if type(head).forward is not FCNMaskHead.forward:
                raise W2SError(
                    f"loss_mask compares outputs of FCNMaskHead, and {name}'s mask head is a "
                    f'{type(head).__name__}. Set model.distill_head.loss_mask=None.'
                )
            scale = 1 if head.upsample is None else head.scale_factor
            found.add(tuple(scale * edge for edge in extractor.roi_layers[0].output_size))
        sizes.append(sorted(found))
    if sizes[0] != sizes[1] or len(sizes[0]) > 1:
        raise W2SError(
            f'Teacher and student differ in the size of their masks: teacher {sizes[0]}, student '
            f'{sizes[1]}. Choose a teacher with masks of the same size, or '
            f'model.distill_head.loss_mask=None.'
        )


def mask_answer(
    roi_head: Any, stage: tuple[int, ...], features: Sequence[Tensor], rois: Tensor, thr: float
) -> MaskAnswer:
    """The teacher's masks of the RoIs where its top foreground class reaches the threshold.

    Args:
        roi_head: The teacher's.
        stage: Index of its stage, empty if it has one.
        features: Its features.
        rois: RoIs of the student's mask head, shape (M, 5).
        thr: Lowest probability of a class, at T = 1.
    """
    scores = full_precision(roi_head._bbox_forward(*stage, features, rois)['cls_score'])
    score, label = scores.softmax(-1)[:, :-1].max(-1)
    confident = (score >= thr).nonzero().squeeze(-1)
    masks = roi_head._mask_forward(*stage, features, rois)['mask_preds']
    return MaskAnswer(confident, label[confident], _of_class(masks, confident, label[confident]))


def compare_masks(masks: Tensor, answer: MaskAnswer, loss: nn.Module, temperature: float) -> Tensor:
    """Mean of the loss over the pixels of all confident RoIs, a scalar.

    Args:
        masks: The student's mask logits, shape (M, C, H, W) or (M, 1, H, W).
        answer: The teacher's.
        loss: A loss between sigmoid logits.
        temperature: ``T(u)``.
    """
    logits = _of_class(masks, answer.confident, answer.label)
    pixels = count_over_ranks(answer.label) * logits.shape[1]
    return tempered(loss, logits, answer.logits, temperature, avg_factor=pixels)


def last_masks(tape: Tape, names: tuple[str, str]) -> tuple[Tensor, Tensor]:
    """RoIs (M, 5) of a stage's mask head, and its output."""
    return tape.last(names[0]).args[1], tape.last(names[1]).output


def no_masks(like: Tensor) -> tuple[Tensor, MaskAnswer]:
    """Masks and answer of a stage that did not run."""
    none = torch.zeros(0, dtype=torch.long, device=like.device)
    return like.new_zeros(0, 1, 1, 1), MaskAnswer(none, none, like.new_zeros(0, 1))


def _of_class(masks: Tensor, rows: Tensor, label: Tensor) -> Tensor:
    """Mask logits of one class per RoI, or the class-agnostic ones, shape (R, H*W)."""
    channel = label if masks.shape[1] > 1 else torch.zeros_like(label)
    return masks[rows, channel].flatten(1)
