"""Distillation between two image classifiers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.probe import Probe
from w2s_mm.core.registry import build_part
from w2s_mm.core.tape import Tape
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.losses import check_activation, takes_labels, tempered
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

from .logit_probe import LogitProbe
from .outputs import LOSS, activation_of, number_of_classes, why_no_logits


class ClassifierHead(DistillHead):
    """Base of the heads that compare the logits of two classifiers, image by image.

    The student is an MMPretrain ``ImageClassifier`` with one softmax over its classes, or a sigmoid
    for each of them (several labels an image). The teacher may also be MMPretrain's
    ``TimmClassifier`` or a :class:`TorchvisionClassifier`.

    Args:
        remember_classes: Classes whose logits are remembered of each image, those of the highest;
            the others share the rest of the probability equally, as in FKD (arXiv 2112.01528).
            Default: all. Matters only with ``model.teacher.remember``.
        **kwargs: ``weight``, ``schedule`` and ``temperature`` of
            :class:`~w2s_mm.core.distill_head.DistillHead`.
    """

    def __init__(self, remember_classes: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if remember_classes is not None:
            checks.whole_number('distill_head.remember_classes', remember_classes)
        self.remember_classes = remember_classes

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check that both models output logits of the same activation and number of classes.

        Raises:
            W2SError: They do not; the message shows both sides.
        """
        for model, whose in ((student, 'student'), (teacher, 'teacher')):
            problem = why_no_logits(model)
            if problem:
                raise W2SError(
                    f'The {whose} {type(model).__name__} has no class logits to compare: '
                    f'{problem}. Expected an image classifier with one softmax over its classes '
                    f'(LinearClsHead), or a sigmoid for each of them (MultiLabelLinearClsHead).'
                )
        kinds = activation_of(student), activation_of(teacher)
        if None not in kinds and kinds[0] != kinds[1]:
            raise W2SError(
                f'Teacher and student differ in what their logits mean: the teacher has a '
                f'{kinds[1]}, the student a {kinds[0]}. Choose a teacher with the same kind of '
                f'head.'
            )
        if self.remember_classes is not None and kinds[0] == 'sigmoid':
            raise W2SError(
                f'distill_head.remember_classes is {self.remember_classes}, and the student has a '
                f'sigmoid for each class, so that the others have no rest to share. Remove it.'
            )
        ours, theirs = (number_of_classes(model) for model in (student, teacher))
        if ours is not None and theirs is not None and ours != theirs:
            raise _other_classes(theirs, ours)

    def ask(
        self,
        student: nn.Module,
        teacher: FrozenTeacher,
        inputs: Tensor,
        data_samples: Sequence[Any],
        tape: Tape,
    ) -> Tensor:
        """The teacher's logits (N, C) of the same images."""
        # No samples: they locate padding, which a classifier's batch has not, and MMPretrain's
        # wrapped torchvision transforms leave a wrong img_shape in them.
        return teacher.answer(student, inputs, None)[0]

    asks_all = True  # images are not padded

    def memory_key(self) -> tuple[Any, ...]:
        """The number of classes that are kept."""
        return 'logits', self.remember_classes

    def split(self, answer: Tensor, count: int) -> list[dict[str, Tensor]]:
        """The logits (C,) of each image; or the highest, their classes, and that of each other."""
        classes, keep = answer.shape[1], self.remember_classes
        if keep is None or keep >= classes:
            return [{'logits': row} for row in answer]
        highest, which = full_precision(answer).sort(dim=1, descending=True)
        rest = highest[:, keep:].logsumexp(1) - math.log(classes - keep)
        columns = highest[:, :keep], which[:, :keep].to(torch.int32), rest
        return [
            dict(zip(('logits', 'classes', 'rest'), row, strict=True))
            for row in zip(*columns, strict=True)
        ]

    def join(self, teacher: nn.Module, parts: Sequence[dict[str, Tensor]], tape: Tape) -> Tensor:
        """The logits (N, C)."""
        output = tape.last('head').output

        def joined(name: str) -> Tensor:
            return torch.stack([part[name] for part in parts]).to(output.device)

        if 'rest' not in parts[0]:
            return joined('logits')
        logits = joined('rest')[:, None].repeat(1, output.shape[1])
        return logits.scatter(1, joined('classes').long(), joined('logits'))

    def logits(self, tape: Tape, answer: Tensor) -> Tensor:
        """The student's logits (N, C).

        Raises:
            W2SError: The logits of the two models differ in shape.
        """
        logits = tape.last('head').output
        if logits.shape != answer.shape:
            raise _other_classes(tuple(answer.shape), tuple(logits.shape))
        return logits

    def probe(self) -> Probe:
        """Entropy and divergence of the class probabilities; the penultimate features."""
        return LogitProbe()


@MODELS.register_module()
class LogitDistillHead(ClassifierHead):
    r"""Compares the logits of two classifiers, image by image (arXiv 2604.15451, equation (2)).

    .. math::
        L_\mathrm{distill} = T^2\, \ell(s / T, t / T)

    for student logits ``s`` and teacher logits ``t`` of the same N images: those that reached the
    student's ``loss``, after Mixup, CutMix and the like. The student's own loss uses the labels
    (one-hot, smoothed, mixed) as before.

    Args:
        loss: Config of the loss, by default a :class:`~w2s_mm.losses.KLDistillLoss` (equation (3)).
            A loss whose ``forward`` takes ``labels`` receives those of the student's own loss:
            class indices of shape (N,), or probabilities of shape (N, C) where images are mixed.
            For sigmoid scores: ``dict(type='FocalLogitDistillLoss', focal=0.0)``.
        **kwargs: See :class:`ClassifierHead`.
    """

    def __init__(self, loss: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        loss = {'type': 'KLDistillLoss'} if loss is None else loss
        self.loss_cls = build_part(loss, 'distill_head.loss', 'KLDistillLoss')
        self._takes_labels = takes_labels(self.loss_cls)

    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """The head, whose output is the logits, and its loss if labels are needed."""
        return ('head', LOSS) if self._takes_labels else ('head',)

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check the models as :class:`ClassifierHead` does, and the loss.

        Raises:
            W2SError: They do not fit; the message shows both sides.
        """
        super().check(student, teacher)
        given = activation_of(student) or 'softmax'
        check_activation(self.loss_cls, given, 'model.distill_head.loss')
        if self._takes_labels and not hasattr(getattr(student, 'head', None), 'loss_module'):
            raise W2SError(
                f'{type(self.loss_cls).__name__} needs labels, and the head of the student '
                f'{type(student).__name__} has no loss_module to take them from. Choose a loss '
                f'without labels, or a head such as LinearClsHead.'
            )

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Term ``kl``, a scalar; it has this name whatever the loss is.

        Raises:
            W2SError: The logits of the two models differ in shape.
        """
        logits = self.logits(tape, answer)
        labels = {'labels': tape.last(LOSS).args[1]} if self._takes_labels else {}
        return {'kl': tempered(self.loss_cls, logits, answer, temperature, **labels)}


def _other_classes(theirs: Any, ours: Any) -> W2SError:
    return W2SError(
        f'Teacher and student differ in their number of classes: teacher {theirs}, student {ours}. '
        f'Choose a teacher trained on the same classes.'
    )
