"""What a classifier outputs: where its logits are, and what they mean."""

from __future__ import annotations

from typing import Any

from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import ArcFaceClsHead, ClsHead, MultiLabelClsHead
from torch import nn

from w2s_mm.losses import Activation
from w2s_mm.utils.errors import W2SError

LOSS = 'head.loss_module'  # is called with the labels of the student's own loss
_PREDICTS: dict[Any, Activation] = {MultiLabelClsHead: 'sigmoid', ClsHead: 'softmax'}


def logit_tap(model: nn.Module) -> str:
    """The module that outputs the logits: the head, or the model inside a wrapper."""
    return 'head' if isinstance(model, ImageClassifier) else 'model'


def feature_tap(model: nn.Module) -> str:
    """The last linear layer, whose input are the features.

    Raises:
        W2SError: The model has none.
    """
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


def why_no_logits(model: Any) -> str | None:
    """Why a model's output is not the logits of its classes, None if it is."""
    if not isinstance(model, ImageClassifier):
        return None if hasattr(model, 'model') else 'it is not an image classifier of MMPretrain'
    head = model.head
    if head is None:
        return 'it has no head'
    name = type(head).__name__
    if isinstance(head, ArcFaceClsHead):
        return f'{name} changes the logits of the labels in training'
    base = next((kind for kind in _PREDICTS if isinstance(head, kind)), None)
    if base is None or any(
        getattr(type(head), method) is not getattr(base, method)
        for method in ('predict', '_get_predictions')
    ):
        return f'{name} does not predict by a softmax over its output, nor a sigmoid for each class'
    loss = getattr(head.loss_module, 'ce', head.loss_module)  # LabelSmoothLoss wraps a loss
    trained = 'sigmoid' if getattr(loss, 'use_sigmoid', False) else 'softmax'
    if trained != _PREDICTS[base]:
        return f'{name} predicts by a {_PREDICTS[base]} and is trained by a {trained} (use_sigmoid)'
    return None


def activation_of(model: Any) -> Activation | None:
    """How a classifier's logits become scores; None if a wrapper does not tell."""
    head = getattr(model, 'head', None)
    return next((_PREDICTS[kind] for kind in _PREDICTS if isinstance(head, kind)), None)
