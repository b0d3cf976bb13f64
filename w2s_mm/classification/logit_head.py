"""Distillation between two image classifiers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import ArcFaceClsHead, ClsHead
from torch import Tensor, nn
from torch.special import entr

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.probe import Probe
from w2s_mm.core.registry import build_part
from w2s_mm.core.tape import Tape
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.losses import check_activation, softmax_kl, takes_labels, tempered
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.precision import full_precision

LOSS = 'head.loss_module'  # is called with the labels of the student's own loss


class ClassifierHead(DistillHead):
    """Base of the heads that compare the logits of two classifiers, image by image.

    The student is an MMPretrain ``ImageClassifier`` with one softmax over its classes. The teacher
    may also be MMPretrain's ``TimmClassifier`` or a :class:`TorchvisionClassifier`.

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
        """Check that both models output softmax logits of the same number of classes.

        Raises:
            W2SError: They do not; the message shows both sides.
        """
        for model, whose in ((student, 'student'), (teacher, 'teacher')):
            problem = _why_no_logits(model)
            if problem:
                raise W2SError(
                    f'The {whose} {type(model).__name__} has no class logits to compare: '
                    f'{problem}. Expected an image classifier with one softmax over its classes, '
                    f'for example with a LinearClsHead.'
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
        **kwargs: See :class:`ClassifierHead`.

    Raises:
        W2SError: ``loss`` is not one between softmax logits.
    """

    def __init__(self, loss: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        loss = {'type': 'KLDistillLoss'} if loss is None else loss
        self.loss_cls = build_part(loss, 'distill_head.loss', 'KLDistillLoss')
        check_activation(self.loss_cls, 'softmax', 'distill_head.loss')
        self._takes_labels = takes_labels(self.loss_cls)

    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """The head, whose output is the logits, and its loss if labels are needed."""
        return ('head', LOSS) if self._takes_labels else ('head',)

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check that both models output softmax logits of the same number of classes.

        Raises:
            W2SError: They do not; the message shows both sides.
        """
        super().check(student, teacher)
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


class LogitProbe:
    """What a diagnosis reads from a classifier; see :class:`~w2s_mm.core.probe.Probe`."""

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """The module that outputs the logits, and the last linear layer."""
        return _logit_tap(model), _feature_tap(model)

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Entropy of the class probabilities of each image, shape (N,)."""
        output = tape.last(_logit_tap(model)).output
        logits = getattr(output, 'logits', output)  # Hugging Face wraps them
        return entr(full_precision(logits).softmax(-1)).sum(-1)

    def divergence(self, student: nn.Module, tape: Tape, answer: Tensor) -> Tensor:
        """KL of the class probabilities of each image, shape (N,)."""
        return softmax_kl(tape.last('head').output, answer, reverse=True)

    def features(self, model: nn.Module, tape: Tape) -> Tensor:
        """Input of the last linear layer, shape (N, K)."""
        return full_precision(tape.last(_feature_tap(model)).args[0])


def _logit_tap(model: nn.Module) -> str:
    """The module that outputs the logits: the head, or the model inside a wrapper."""
    return 'head' if isinstance(model, ImageClassifier) else 'model'


def _feature_tap(model: nn.Module) -> str:
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    # A head's own loss may hold linear layers.
    layers = [name for name in layers if not name.startswith(LOSS)]
    if not layers:
        raise W2SError(
            f'{type(model).__name__} has no linear layer. Expected one whose input can be used as '
            f'features.'
        )
    return layers[-1]


def number_of_classes(model: Any) -> int | None:
    """Number of classes of the head or of the model inside a wrapper; None if neither has it."""
    for place in (getattr(model, 'head', None), getattr(model, 'model', None)):
        for name in ('num_classes', 'num_labels'):  # MMPretrain and timm; Hugging Face
            if isinstance(getattr(place, name, None), int):
                return getattr(place, name)
    return None


def _why_no_logits(model: Any) -> str | None:
    """Why a model's output is not the logits of one softmax, None if it is."""
    if not isinstance(model, ImageClassifier):
        return None if hasattr(model, 'model') else 'it is not an image classifier of MMPretrain'
    head = model.head
    if head is None:
        return 'it has no head'
    name = type(head).__name__
    if isinstance(head, ArcFaceClsHead):
        return f'{name} changes the logits of the labels in training'
    if not isinstance(head, ClsHead) or any(
        getattr(type(head), method) is not getattr(ClsHead, method)
        for method in ('predict', '_get_predictions')
    ):
        return f'{name} does not predict by a softmax over its output'
    loss = getattr(head.loss_module, 'ce', head.loss_module)  # LabelSmoothLoss wraps a loss
    if getattr(loss, 'use_sigmoid', False):
        return f'{name} is trained with a sigmoid for each class (loss.use_sigmoid)'
    return None


def _other_classes(theirs: Any, ours: Any) -> W2SError:
    return W2SError(
        f'Teacher and student differ in their number of classes: teacher {theirs}, student {ours}. '
        f'Choose a teacher trained on the same classes.'
    )
