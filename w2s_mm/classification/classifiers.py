"""The classifier student, and torchvision's models as teachers."""

from __future__ import annotations

from typing import Any

import torchvision
from mmengine.registry import MODELS
from mmpretrain.models import ImageClassifier
from torch import Tensor

from w2s_mm.core.student import WeakToStrong
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.state_dicts import drop_prefix


@MODELS.register_module()
class W2SImageClassifier(WeakToStrong, ImageClassifier):
    """Any MMPretrain image classifier as the student of a frozen one."""


@MODELS.register_module()
class TorchvisionClassifier(ImageClassifier):
    """A classifier of torchvision, for use as a teacher or in ``w2s test``.

    Its state dict has torchvision's keys, so torchvision's checkpoints load without conversion.

    Args:
        model_name: A name for ``torchvision.models.get_model``, e.g. ``'resnet18'``.
        num_classes: Number of classes.
        data_preprocessor: Config of an MMPretrain ``ClsDataPreprocessor``: the mean and standard
            deviation that the checkpoint was trained with, and whether to swap channels. In a
            config file it may be a top-level key, as in MMPretrain.
        **kwargs: Passed to the torchvision model.

    Raises:
        W2SError: torchvision has no such model, or there is no ``data_preprocessor``.
    """

    def __init__(
        self,
        model_name: str,
        num_classes: int = 1000,
        data_preprocessor: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        checks.text('model.model_name', model_name)
        checks.whole_number('model.num_classes', num_classes)
        if not data_preprocessor:
            raise W2SError(
                'TorchvisionClassifier has no data_preprocessor; expected the mean and standard '
                "deviation that its checkpoint was trained with. For torchvision's checkpoints: "
                'data_preprocessor=dict(mean=[123.675, 116.28, 103.53], '
                'std=[58.395, 57.12, 57.375], to_rgb=True).'
            )
        try:
            network = torchvision.models.get_model(
                model_name, weights=None, num_classes=num_classes, **kwargs
            )
        except ValueError as error:
            raise W2SError(
                f'model.model_name: torchvision {torchvision.__version__} has no model '
                f'{model_name[:80]!r} ({str(error)[:120]}). Expected a name such as resnet18 or '
                f'mobilenet_v2.'
            ) from error
        super().__init__(
            backbone=network,
            head=dict(type='mmpretrain.ClsHead'),
            data_preprocessor=data_preprocessor,
        )
        self.head.num_classes = num_classes
        drop_prefix(self, 'backbone')

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> tuple[Tensor]:
        """The logits (N, C), as torchvision's models include their classifier."""
        return (self.backbone(inputs),)
