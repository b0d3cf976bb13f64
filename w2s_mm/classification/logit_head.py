"""Distillation between two image classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.registry import MODELS
from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import ArcFaceClsHead, ClsHead
from torch import Tensor, nn
from torch.special import entr

from w2s_mm.core.distill_head import DistillHead
from w2s_mm.core.tape import Call, Tape
from w2s_mm.core.teacher import FrozenTeacher
from w2s_mm.losses.kl import full_precision, temperature_kl
from w2s_mm.utils.errors import W2SError


@MODELS.register_module()
class LogitDistillHead(DistillHead):
    r"""Compares the logits of two classifiers, image by image (arXiv 2604.15451, equation (3)).

    .. math::
        L_\mathrm{distill} = \frac{1}{N} \sum_n T^2\, \mathrm{KL}(\mathrm{softmax}(t_n / T) \|
            \mathrm{softmax}(s_n / T))

    for student logits ``s`` and teacher logits ``t`` of the same N images: those that reached the
    student's ``loss``, which Mixup, CutMix and the like have already mixed.

    The student is an MMPretrain ``ImageClassifier`` with one softmax over its classes; what its
    own loss makes of the labels (one-hot, smoothed, mixed) is its own affair. The teacher may also
    be MMPretrain's ``TimmClassifier`` or a :class:`TorchvisionClassifier`.

    Args:
        reverse: The other direction, KL(student || teacher), the paper's ablation.
    """

    def __init__(self, reverse: bool = False) -> None:
        super().__init__()
        self.reverse = reverse

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """Whatever gives the logits: the head, or for a wrapper the model inside."""
        return ('head',) if isinstance(model, ImageClassifier) else ('model',)

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Refuse a model without softmax logits, and a teacher of another number of classes.

        Raises:
            W2SError: They do not fit; the message gives both sides.
        """
        for model, whose in ((student, 'student'), (teacher, 'teacher')):
            problem = _why_no_logits(model)
            if problem:
                raise W2SError(
                    f'The {whose} {type(model).__name__} has no class logits to compare: '
                    f'{problem}. Expected an image classifier with one softmax over its classes, '
                    f'such as LinearClsHead gives.'
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
        # No samples: they would say where padding begins. A batch of a classifier has none, and
        # transforms that MMPretrain borrows from torchvision leave a stale img_shape behind.
        return teacher.model(teacher.see(student, inputs, None), mode='tensor')

    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Term ``kl``, the mean over the images, a scalar.

        Raises:
            W2SError: The logits of the two are not of the same shape (N, C).
        """
        (tap,) = tape
        logits = tape[tap][-1].output
        if logits.shape != answer.shape:
            raise _other_classes(tuple(answer.shape), tuple(logits.shape))
        return {'kl': temperature_kl(logits, answer, temperature, self.reverse).mean()}

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Of the class probabilities, one number an image."""
        (tap,) = tape
        output = tape[tap][-1].output
        logits = getattr(output, 'logits', output)  # Hugging Face wraps them
        return entr(full_precision(logits).softmax(-1)).sum(-1)

    def divergence(self, student: nn.Module, tape: Tape, answer: Tensor) -> Tensor:
        """Of the class probabilities, one number an image."""
        (tap,) = self.taps(student)
        return temperature_kl(tape[tap][-1].output, answer, temperature=1.0, reverse=True)

    def feature_tap(self, model: nn.Module) -> str:
        """The last linear layer, whose input is the penultimate features, in wrappers too."""
        layers = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
        if not layers:
            raise W2SError(
                f'{type(model).__name__} has no linear layer whose input could be taken as its '
                f'features.'
            )
        return layers[-1]

    def features(self, call: Call) -> Tensor:
        """What goes into the last linear layer, shape (N, K)."""
        return full_precision(call.args[0])


def number_of_classes(model: Any) -> int | None:
    """As its head, or a wrapper's inner model, says; None if neither does."""
    for place in (getattr(model, 'head', None), getattr(model, 'model', None)):
        for name in ('num_classes', 'num_labels'):  # MMPretrain and timm; Hugging Face
            if isinstance(getattr(place, name, None), int):
                return getattr(place, name)
    return None


def _why_no_logits(model: Any) -> str | None:
    """What keeps a model's output from being logits of one softmax, None if nothing does."""
    if not isinstance(model, ImageClassifier):
        return None if hasattr(model, 'model') else 'it is no image classifier of MMPretrain'
    head = model.head
    if head is None:
        return 'it has no head'
    name = type(head).__name__
    if isinstance(head, ArcFaceClsHead):
        return f'{name} changes those of the labels while it trains'
    if not isinstance(head, ClsHead) or any(
        getattr(type(head), method) is not getattr(ClsHead, method)
        for method in ('predict', '_get_predictions')
    ):
        return f'{name} does not predict by a softmax over its output'
    loss = getattr(head.loss_module, 'ce', head.loss_module)  # LabelSmoothLoss holds another
    if getattr(loss, 'use_sigmoid', False):
        return f'{name} is trained with a sigmoid for each class (loss.use_sigmoid)'
    return None


def _other_classes(theirs: Any, ours: Any) -> W2SError:
    return W2SError(
        f'The number of classes of teacher and student differ: teacher {theirs}, student {ours}. '
        f'Choose a teacher trained on the same classes.'
    )
