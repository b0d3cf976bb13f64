"""Distillation of the distributions over distances that GFL and its kin predict."""

from __future__ import annotations

from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.registry import build_part
from w2s_mm.core.tape import Tape
from w2s_mm.losses import check_activation, takes_labels, tempered
from w2s_mm.utils.errors import W2SError

from .box_codes import DistanceDistributionCode, box_code
from .dense import check_dense, count_over_ranks
from .dense_head import DenseHead
from .places import rows


@MODELS.register_module()
class LocalizationDistillHead(DenseHead):
    r"""Compares distributions over the distances to the four sides of a box (LD).

    .. math::
        L = \frac{1}{4R} \sum_r w_r \sum_{e=1}^{4}
            T^2\, \mathrm{KL}(\mathrm{softmax}(t_{re} / T) \,\|\, \mathrm{softmax}(s_{re} / T)),
        \quad w_r = \max_c \sigma(t^\mathrm{cls}_{rc})

    for the logits ``s`` and ``t`` of student and teacher over ``reg_max + 1`` distances, at the R
    priors where the teacher's best class score reaches the threshold. A distribution says how sure
    the teacher is of a side, which its mean does not. The loss is that of arXiv 2102.12252 with
    T = 10; its regions are those around the true boxes, ours are where the teacher is confident, as
    in :class:`~w2s_mm.detection.dense_head.DenseDistillHead`. Classes are not compared: use it
    beside that head, in a list, with a temperature of its own.

    Args:
        loss: Config of a loss between softmax logits, by default a
            :class:`~w2s_mm.losses.KLDistillLoss`.
        score_thr: Lowest teacher score of a prior that takes part, in (0, 1); always at T = 1.
        **kwargs: ``weight``, ``schedule`` and ``temperature`` of
            :class:`~w2s_mm.core.distill_head.DistillHead`.

    Raises:
        W2SError: An argument is out of range, or the loss is not one between softmax logits.
    """

    def __init__(
        self, loss: dict[str, Any] | None = None, score_thr: float = 0.2, **kwargs: Any
    ) -> None:
        super().__init__(score_thr, **kwargs)
        loss = {'type': 'KLDistillLoss'} if loss is None else loss
        self.loss_ld = build_part(loss, 'distill_head.loss', 'KLDistillLoss')
        check_activation(self.loss_ld, 'softmax', 'distill_head.loss')
        if takes_labels(self.loss_ld):
            raise W2SError(
                f'{type(self.loss_ld).__name__} needs labels, and distances have none. Choose a '
                f'loss without labels.'
            )

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check that both heads predict distributions over the same distances.

        Raises:
            W2SError: They do not; the message shows both sides.
        """
        ours, theirs = (getattr(model, 'bbox_head', None) for model in (student, teacher))
        names = [f"{type(model).__name__}'s bbox_head" for model in (student, teacher)]
        check_dense(ours, theirs, nn.Identity(), 'corners', names)
        lengths = []
        for head, name in zip((theirs, ours), reversed(names), strict=True):
            code = box_code(head)
            if not isinstance(code, DistanceDistributionCode):
                raise W2SError(
                    f'LocalizationDistillHead compares distributions over distances, and {name} '
                    f'({type(head).__name__}) predicts none. Expected GFL for both teacher and '
                    f'student; for other boxes, use loss_bbox of DenseDistillHead.'
                )
            lengths.append(code.channels // 4 - 1)
        if lengths[0] != lengths[1]:
            raise W2SError(
                f'Teacher and student differ in their longest distance: reg_max of the teacher '
                f'{lengths[0]}, of the student {lengths[1]}. Choose a teacher with the same.'
            )

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Term ``ld``, a scalar."""
        code = box_code(student.bbox_head)
        maps = code.maps(tape.last('bbox_head').output)
        ours, theirs = (
            side.reshape(-1, code.channels // 4)
            for side in (rows(maps, code.channels, answer.places), answer.boxes)
        )
        sides = 4 * count_over_ranks(answer.score)
        weight = answer.score.repeat_interleave(4)
        return {
            'ld': tempered(self.loss_ld, ours, theirs, temperature, weight=weight, avg_factor=sides)
        }
