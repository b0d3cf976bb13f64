"""The teacher as a selector of the images that are trained on."""

from __future__ import annotations

import inspect
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.tape import Tape
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

from .logit_head import ClassifierHead
from .outputs import LOSS, activation_of


@MODELS.register_module()
class SelectionHead(ClassifierHead):
    r"""Trains on the images that the student does not know and the teacher does (RHO-LOSS).

    .. math::
        L_\mathrm{distill} = \frac{1}{|S|} \sum_{i \in S} \ell_i(s) - \frac{1}{N} \sum_i \ell_i(s)

    for the student's own loss :math:`\ell_i` of each of the N images, such as the cross-entropy
    with the label. ``S`` are those with the largest reducible loss
    :math:`\ell_i(s) - \ell_i(t)`, with the logits of student ``s`` and teacher ``t``
    (arXiv 2206.07137). The second sum is ``L_base``: with the weight ``lambda`` of this head the
    student is trained on

    .. math:: (1 - \lambda)\, L_\mathrm{base} + \frac{\lambda}{|S|} \sum_{i \in S} \ell_i(s)

    so on ``S`` alone with ``lambda = 1``, and as the baseline with 0. All images pass through the
    student, forward and backward. The temperature has no effect.

    Args:
        keep: Part of a batch that is selected, above 0 and below 1; at least one image.
        **kwargs: See :class:`ClassifierHead`.

    Raises:
        W2SError: ``keep`` is out of range.
    """

    def __init__(self, keep: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checks.number('distill_head.keep', keep, above=0, below=1)
        self.keep = keep

    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """The head, whose output is the logits, and its loss, for the labels."""
        return ('head', LOSS)

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check the models as :class:`ClassifierHead` does, and the student's own loss.

        Raises:
            W2SError: They do not fit, the student's loss cannot be computed image by image, or this
                head's own schedule reaches a weight above 1.
        """
        super().check(student, teacher)
        own = getattr(student.head, 'loss_module', None)
        if own is None or 'reduction_override' not in inspect.signature(own.forward).parameters:
            raise W2SError(
                f'SelectionHead needs the loss of each image, and the head of the student '
                f'{type(student).__name__} has {type(own).__name__}, which has no '
                f'reduction_override. Expected a loss of MMPretrain, such as CrossEntropyLoss or '
                f'LabelSmoothLoss.'
            )
        if activation_of(student) == 'sigmoid':
            raise W2SError(
                f'SelectionHead needs one loss for each image, and the student has a sigmoid for '
                f'each class ({type(student.head).__name__}). Expected a head with one softmax.'
            )
        highest = getattr(self.schedule, 'lambda_max', 0.0)
        _check_weight(student.gamma * self.weight * highest)

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Term ``selection``, a scalar: what the selected images change in the student's own loss.

        Raises:
            W2SError: The weight of this head is above 1, or the logits differ in shape.
        """
        _check_weight(student.weights[list(student.distill_heads).index(self)])
        labels = tape.last(LOSS).args[1]
        ours, theirs = (
            student.head.loss_module(full_precision(logits), labels, reduction_override='none')
            for logits in (self.logits(tape, answer), answer)
        )
        count = max(round(self.keep * len(ours)), 1)
        chosen = (ours.detach() - theirs).topk(count).indices
        return {'selection': ours[chosen].mean() - ours.mean()}


def _check_weight(weight: float) -> None:
    hint = 'At 1 only the selected images are trained on; above, the others are unlearned.'
    checks.number('weight of SelectionHead (gamma * weight * lambda)', weight, most=1, hint=hint)
