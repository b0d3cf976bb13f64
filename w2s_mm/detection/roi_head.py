"""Distillation between two RoI (two-stage) detection heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.probe import Probe, pooled
from w2s_mm.core.registry import build_optional, build_part
from w2s_mm.core.tape import Tape
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.losses import check_activation, softmax_kl, takes_labels, tempered
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

from .box_codes import comparable, described, rescaled
from .box_loss import BoxForm, box_term, check_boxes, check_threshold
from .dense import DenseAnswer, check_dense, compare_dense, count_over_ranks, dense_answer
from .masks import (
    MaskAnswer,
    check_masks,
    compare_masks,
    last_masks,
    mask_answer,
    mask_taps,
    no_masks,
)
from .roi_stages import (
    RoIOutput,
    check_two_stage,
    deltas_of_class,
    heads_of,
    last_pass,
    loss_tap,
    no_rois,
    stage_args,
    stage_taps,
    stages_of,
)

Normalizer = Literal['confident', 'sampled']


class RoIAnswer(NamedTuple):
    """The teacher's outputs for the RoIs of each stage that ran, its objectness, and its masks."""

    stages: list[RoIOutput]
    rpn: DenseAnswer | None
    masks: Sequence[MaskAnswer] = ()


@MODELS.register_module()
class RoIDistillHead(DistillHead):
    """Sends the student's sampled RoIs through both RoI heads (arXiv 2604.15451, 4.1).

    The student's outputs are those of its own forward pass; the teacher pools the same RoIs from
    its own features, at its own RoI size. ``L_distill`` is the temperature KL of the class logits
    plus beta times the box loss for the teacher's top foreground class, over the RoIs where that
    class reaches the threshold. Each stage of a Cascade R-CNN is weighted as in its own loss
    (``stage_loss_weights``); a teacher with one stage is used for all of them.

    Args:
        loss_cls: Config of a loss between softmax logits, by default a
            :class:`~w2s_mm.losses.KLDistillLoss`. A loss whose ``forward`` takes ``labels``
            receives the class indices (R,) that the student's own loss received.
        loss_bbox: Config of a box loss of MMDetection, whose ``loss_weight`` is the paper's beta;
            None for no box term (beta = 0).
        loss_rpn: Config of a loss between sigmoid logits, such as a
            :class:`~w2s_mm.losses.FocalLogitDistillLoss`, for the objectness of the region
            proposals; None for no RPN term. Needs equal anchors.
        loss_mask: Config of a loss between sigmoid logits for the masks of the RoIs that the
            student trains its masks with, where the teacher's top class reaches the threshold; None
            for no mask term. A mean over pixels, of the masks of that class.
        score_thr: Lowest foreground probability (or objectness) of the teacher for a RoI (or
            prior) to take part, in (0, 1); always at T = 1.
        box_form: Form of the boxes that ``loss_bbox`` compares: deltas (``'encoded'``, for
            ``mmdet.L1Loss``), or boxes in pixels (``'corners'``, for ``mmdet.GIoULoss``).
        normalizer: What the class and box terms are divided by: the number of RoIs that reach the
            threshold (``'confident'``), or of all RoIs that the student sampled (``'sampled'``),
            which its own loss is divided by. The default is the mean over the RoIs that take part,
            as for dense detectors. Their own loss too is divided by the positive priors alone, so
            that the paper's one lambda for both families weighs a confident RoI and a confident
            prior alike. It does not depend on how many of the sampled RoIs are background, and
            these are most of them. With ``'sampled'`` a RoI has the same scale in both losses, and
            the term is smaller by the fraction of confident RoIs: lambda has to be larger.
        **kwargs: ``weight``, ``schedule`` and ``temperature`` of
            :class:`~w2s_mm.core.distill_head.DistillHead`.

    Raises:
        W2SError: An argument is out of range, a loss does not fit the logits that it compares, or
            ``loss_rpn`` or ``loss_mask`` needs labels.
    """

    def __init__(
        self,
        loss_cls: dict[str, Any] | None = None,
        loss_bbox: dict[str, Any] | None = None,
        loss_rpn: dict[str, Any] | None = None,
        loss_mask: dict[str, Any] | None = None,
        score_thr: float = 0.2,
        box_form: BoxForm = 'encoded',
        normalizer: Normalizer = 'confident',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        checks.choice('distill_head.normalizer', normalizer, get_args(Normalizer))
        self.normalizer: Normalizer = normalizer
        loss_cls = {'type': 'KLDistillLoss'} if loss_cls is None else loss_cls
        self.loss_cls = build_part(loss_cls, 'distill_head.loss_cls', 'KLDistillLoss')
        check_activation(self.loss_cls, 'softmax', 'distill_head.loss_cls')
        self.loss_bbox = build_optional(loss_bbox, 'distill_head.loss_bbox', 'mmdet.L1Loss')
        check_threshold(score_thr)
        check_boxes(box_form, self.loss_bbox)
        self.loss_rpn = build_optional(loss_rpn, 'distill_head.loss_rpn', 'FocalLogitDistillLoss')
        self.loss_mask = build_optional(
            loss_mask, 'distill_head.loss_mask', 'FocalLogitDistillLoss'
        )
        self.score_thr = score_thr
        self.box_form: BoxForm = box_form
        self._takes_labels = takes_labels(self.loss_cls)
        for name, loss in (('loss_rpn', self.loss_rpn), ('loss_mask', self.loss_mask)):
            if loss is None:
                continue
            check_activation(loss, 'sigmoid', f'distill_head.{name}')
            if takes_labels(loss):
                raise W2SError(
                    f'{name}: {type(loss).__name__} needs labels, and region proposals and masks '
                    f'are compared without. Choose a loss without labels.'
                )

    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """RoI extractor and box head of each stage; its loss, for the labels; RPN and masks."""
        names = stage_taps(student)
        if self._takes_labels:
            names += [loss_tap(stage) for stage in stages_of(student)]
        if self.loss_rpn is not None:
            names.append('rpn_head')
        if self.loss_mask is not None:
            names += [name for pair in mask_taps(student) for name in pair]
        return tuple(names)

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check that both have an RPN and a RoI head, and the same classes, stages and box coders.

        Raises:
            W2SError: They differ; the message shows both sides.
        """
        for model in (teacher, student):
            check_two_stage(model, with_boxes=self.loss_bbox is not None)
        ours, theirs = (heads_of(model) for model in (student, teacher))
        if len(theirs) not in (1, len(ours)):
            raise W2SError(
                f'Teacher and student differ in their number of stages: teacher {len(theirs)}, '
                f'student {len(ours)}. Choose a teacher with one stage or with the same number.'
            )
        for index, head in enumerate(ours):
            other = theirs[min(index, len(theirs) - 1)]
            if other.num_classes != head.num_classes:
                raise W2SError(
                    f'Teacher and student differ in their number of classes: teacher '
                    f'{other.num_classes}, student {head.num_classes}. Choose a teacher trained '
                    f'on the same classes.'
                )
            if self.loss_bbox is not None and not comparable(head.bbox_coder, other.bbox_coder):
                raise W2SError(
                    f'Teacher and student differ in their box coders: teacher '
                    f'{described(other.bbox_coder)}, student {described(head.bbox_coder)}. Choose '
                    f'a teacher with the same type of box coder.'
                )
        if self.loss_rpn is not None:
            names = [f"{type(model).__name__}'s rpn_head" for model in (student, teacher)]
            check_dense(student.rpn_head, teacher.rpn_head, self.loss_rpn, None, names)
        if self.loss_mask is not None:
            check_masks(student, teacher)

    def ask(
        self,
        student: nn.Module,
        teacher: FrozenTeacher,
        inputs: Tensor,
        data_samples: Sequence[Any],
        tape: Tape,
    ) -> RoIAnswer:
        """The teacher's outputs for the RoIs that the student has just sampled."""
        model: Any = teacher.model
        features = model.extract_feat(teacher.see(student, inputs, data_samples))
        heads = heads_of(model)
        stages = []
        for index, stage in enumerate(stages_of(student)):
            if index and not tape[stage.head]:
                break  # no proposals were left for this stage
            rois, _ = last_pass(tape, stage)
            which = min(index, len(heads) - 1)
            given = model.roi_head._bbox_forward(*stage_args(model, which), features, rois)
            stages.append(RoIOutput(given['cls_score'], given['bbox_pred'], heads[which]))
        rpn = None
        if self.loss_rpn is not None:
            output = model.rpn_head(features)
            rpn = dense_answer(output, model.rpn_head, self.score_thr, with_boxes=False)
        masks = []
        if self.loss_mask is not None:
            for index, names in enumerate(mask_taps(student)):
                if index and not tape[names[1]]:
                    break  # no proposals were left for this stage
                rois, _ = last_masks(tape, names)
                args = stage_args(model, min(index, len(heads) - 1))
                masks.append(mask_answer(model.roi_head, args, features, rois, self.score_thr))
        return RoIAnswer(stages, rpn, masks)

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Terms ``cls``, ``bbox``, ``mask`` (Cascade R-CNN: ``s0.cls``, ...), ``rpn``, scalars."""
        terms: dict[str, Tensor] = {}
        stages, heads = stages_of(student), heads_of(student)
        for index, (stage, head) in enumerate(zip(stages, heads, strict=True)):
            prefix = f's{index}.' if len(stages) > 1 else ''
            labels = None
            if index < len(answer.stages):
                rois, given = last_pass(tape, stage)
                ours = RoIOutput(given[0], given[1], head)
                theirs = answer.stages[index]
                if self._takes_labels and len(rois):  # MMDetection computes no loss of no RoIs
                    labels = tape.last(loss_tap(stage)).args[1]
            else:  # zero RoIs; this rank still takes part in the count over ranks
                ours = theirs = no_rois(head, answer.stages[0].logits)
                rois = ours.logits.new_zeros(0, 5)
            if self._takes_labels and labels is None:
                labels = torch.zeros(0, dtype=torch.long, device=rois.device)
            found = self._compare(rois, ours, theirs, labels, temperature)
            if self.loss_mask is not None:
                if index < len(answer.masks):
                    _, masks = last_masks(tape, mask_taps(student)[index])
                    asked = answer.masks[index]
                else:  # this rank still takes part in the count over ranks
                    masks, asked = no_masks(rois)
                found['mask'] = compare_masks(masks, asked, self.loss_mask, temperature)
            terms.update({prefix + name: stage.weight * term for name, term in found.items()})
        if self.loss_rpn is not None:
            rpn = compare_dense(
                student.rpn_head,
                tape.last('rpn_head').output,
                answer.rpn,
                self.loss_rpn,
                temperature,
            )
            terms['rpn'] = rpn['cls']
        return terms

    def _compare(
        self,
        rois: Tensor,
        ours: RoIOutput,
        theirs: RoIOutput,
        labels: Tensor | None,
        temperature: float,
    ) -> dict[str, Tensor]:
        score, label = full_precision(theirs.logits).softmax(-1)[:, :-1].max(-1)
        confident = (score >= self.score_thr).nonzero().squeeze(-1)
        count = count_over_ranks(confident if self.normalizer == 'confident' else score)
        given = {} if labels is None else {'labels': labels[confident]}
        terms = {
            'cls': tempered(
                self.loss_cls,
                ours.logits[confident],
                theirs.logits[confident],
                temperature,
                avg_factor=count,
                **given,
            )
        }
        if self.loss_bbox is not None:
            boxes, target = (
                deltas_of_class(side, confident, label[confident]) for side in (ours, theirs)
            )
            coders = [side.head.bbox_coder for side in (ours, theirs)]
            if self.box_form == 'corners':
                boxes, target = (
                    coder.decode(rois[confident, 1:], deltas)
                    for coder, deltas in zip(coders, (boxes, target), strict=True)
                )
            else:
                target = rescaled(target, coders[1], coders[0])
            weight = score[confident]
            terms['bbox'] = box_term(self.loss_bbox, self.box_form, boxes, target, weight, count)
        return terms

    def probe(self) -> Probe:
        """Entropy and divergence of the class probabilities of the confident RoIs."""
        return RoIProbe(self.score_thr)


class RoIProbe:
    """What a diagnosis reads from a two-stage detector; see :class:`~w2s_mm.core.probe.Probe`.

    Args:
        score_thr: Lowest foreground probability of a RoI that counts.
    """

    def __init__(self, score_thr: float) -> None:
        self.score_thr = score_thr

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """RoI extractor and box head of each stage, and the backbone."""
        return (*stage_taps(model), 'backbone')

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Entropy of the class probabilities of the RoIs that reach the threshold, shape (R,)."""
        calls = [call for stage in stages_of(model) for call in tape[stage.head][-1:]]
        if not calls:  # no proposals
            return torch.zeros(0)
        probabilities = full_precision(torch.cat([call.output[0] for call in calls])).softmax(-1)
        return torch.special.entr(probabilities[self._confident(probabilities)]).sum(-1)

    def divergence(self, student: nn.Module, tape: Tape, answer: RoIAnswer) -> Tensor:
        """KL of the class probabilities of the RoIs where the teacher is confident, shape (R,)."""
        rows = []
        for stage, theirs in zip(stages_of(student), answer.stages, strict=False):
            _, given = last_pass(tape, stage)
            confident = self._confident(full_precision(theirs.logits).softmax(-1))
            rows.append(softmax_kl(given[0][confident], theirs.logits[confident], reverse=True))
        return torch.cat(rows) if rows else torch.zeros(0)

    def features(self, model: nn.Module, tape: Tape) -> Tensor:
        """The backbone's last map, pooled over positions, shape (N, K)."""
        return pooled(tape.last('backbone'))

    def _confident(self, probabilities: Tensor) -> Tensor:
        return probabilities[:, :-1].amax(-1) >= self.score_thr
