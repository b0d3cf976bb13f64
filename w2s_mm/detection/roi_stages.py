"""The stages of a two-stage detector, and what is recorded of them."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmengine.utils import to_2tuple
from torch import Tensor, nn

from w2s_mm.core.tape import Tape
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision


class Stage(NamedTuple):
    """One stage of a RoI head: Faster R-CNN has one, Cascade R-CNN several."""

    extractor: str
    head: str
    weight: float


class RoIOutput(NamedTuple):
    """Class logits (R, C+1), background last; deltas (R, 4) or (R, 4*C); the box head."""

    logits: Tensor
    deltas: Tensor
    head: Any


def last_pass(tape: Tape, stage: Stage) -> tuple[Tensor, Any]:
    """RoIs of a stage, and the output of its head for them.

    A sampler may have run both before, on its candidates (OHEM), and a head may pool twice (Double
    Head). A mask head that shares the extractor runs it afterwards on the RoIs with an object; if
    their number is the same, so are the RoIs.
    """
    output = tape.last(stage.head).output
    tape.last(stage.extractor)  # raises where nothing was recorded
    pooled_rois = (call.args[1] for call in reversed(tape[stage.extractor]))
    return next(rois for rois in pooled_rois if len(rois) == len(output[0])), output


def _is_cascade(model: Any) -> bool:
    return isinstance(model.roi_head.bbox_head, nn.ModuleList)


def stages_of(model: Any) -> list[Stage]:
    """The stages of a detector's RoI head."""
    if not _is_cascade(model):
        return [Stage('roi_head.bbox_roi_extractor', 'roi_head.bbox_head', 1.0)]
    return [
        Stage(f'roi_head.bbox_roi_extractor.{i}', f'roi_head.bbox_head.{i}', weight)
        for i, weight in enumerate(model.roi_head.stage_loss_weights)
    ]


def stage_taps(model: Any) -> list[str]:
    """RoI extractor and box head of each stage."""
    return [name for stage in stages_of(model) for name in (stage.extractor, stage.head)]


def loss_tap(stage: Stage) -> str:
    """The module that is called with the labels of the student's own loss."""
    return f'{stage.head}.loss_cls'


def heads_of(model: Any) -> list[Any]:
    """The box head of each stage."""
    return [model.get_submodule(stage.head) for stage in stages_of(model)]


def stage_args(model: Any, index: int) -> tuple[int, ...]:
    """What the RoI head's methods take to name a stage: nothing if it has one."""
    return (index,) if _is_cascade(model) else ()


def deltas_of_class(side: RoIOutput, confident: Tensor, label: Tensor) -> Tensor:
    """Deltas (R, 4) of one class per RoI, or the class-agnostic ones."""
    deltas = full_precision(side.deltas[confident])
    if side.head.reg_class_agnostic:
        return deltas
    by_class = deltas.view(len(confident), side.head.num_classes, 4)
    return by_class[torch.arange(len(confident), device=label.device), label]


def no_rois(head: Any, like: Tensor) -> RoIOutput:
    """The output of a box head for no RoIs."""
    width = 4 if head.reg_class_agnostic else 4 * head.num_classes
    return RoIOutput(like.new_zeros(0, head.num_classes + 1), like.new_zeros(0, width), head)


def check_two_stage(model: Any, with_boxes: bool) -> None:
    """Check that a detector has the parts of Faster, Mask or Cascade R-CNN.

    Args:
        model: The detector.
        with_boxes: Whether its boxes are compared.

    Raises:
        W2SError: It has not; the message says what is missing.
    """
    name = type(model).__name__
    for part in ('rpn_head', 'roi_head'):
        if getattr(model, part, None) is None:
            raise W2SError(
                f'{name} has no {part}. Expected two-stage detectors (Faster, Mask or Cascade '
                f'R-CNN) for both teacher and student.'
            )
    if not model.roi_head.with_bbox:
        raise W2SError(
            f"{name}'s roi_head has no bbox_head. Expected two-stage detectors with boxes for both "
            f'teacher and student.'
        )
    try:
        inspect.signature(model.roi_head._bbox_forward).bind(*stage_args(model, 0), (), None)
    except (AttributeError, TypeError) as error:
        raise W2SError(
            f"{name}'s {type(model.roi_head).__name__} needs other inputs than features and RoIs "
            f'({error}). Expected the RoI head of Faster, Mask or Cascade R-CNN.'
        ) from error
    for stage, head in zip(stages_of(model), heads_of(model), strict=True):
        loss_cls = getattr(head, 'loss_cls', None)
        if getattr(loss_cls, 'use_sigmoid', False) or getattr(head, 'custom_activation', False):
            raise W2SError(
                f"{name}'s {type(head).__name__} uses {type(loss_cls).__name__} with an activation "
                f'other than softmax. Expected softmax over classes and background.'
            )
        gives_boxes = getattr(head, 'with_reg', False)  # SABLHead has no such attribute
        if with_boxes and not (gives_boxes and isinstance(head.bbox_coder, DeltaXYWHBBoxCoder)):
            raise W2SError(
                f"{name}'s {type(head).__name__} outputs no box deltas (DeltaXYWHBBoxCoder). To "
                f'distill classes only: model.distill_head.loss_bbox=None.'
            )
        size = tuple(model.get_submodule(stage.extractor).roi_layers[0].output_size)
        wanted = to_2tuple(head.roi_feat_size)
        averages = getattr(head, 'with_avg_pool', False)
        if not (model.roi_head.with_shared_head or averages or size == wanted):
            raise W2SError(
                f"{name}'s RoI extractor outputs {size[0]} x {size[1]}, but its bbox_head expects "
                f'{wanted[0]} x {wanted[1]}. Use the config that the checkpoint was trained with.'
            )
