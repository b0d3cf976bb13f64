"""Features of a frozen network, for FID."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor

from w2s_mm.core.frozen_model import FrozenModel
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import is_file, is_missing
from w2s_mm.utils.rng import preserved_rng

INCEPTION_FILE = 'weights-inception-2015-12-05-6726825d.pth'
INCEPTION_SHA256 = '6726825d'  # first 8 digits, also in the file name


@MODELS.register_module()
class InceptionFeatures:
    """The 2048 features of the standard FID: the Inception-v3 of 2015, from ``torch-fidelity``.

    Args:
        weights: Path of the weights. Only this file gives an FID that can be compared with others.

    Raises:
        W2SError: The file is missing or another one, or ``torch-fidelity`` is missing.
    """

    metric = 'FID'
    dim = 2048

    def __init__(self, weights: str = f'data/inception/{INCEPTION_FILE}') -> None:
        checks.text('features.weights', weights)
        path = Path(weights)
        instead = (
            'Or use the features of your own classifier: '
            "features=dict(type='ClassifierFeatures', ...) in the FID metric, as in "
            'w2s_mm::digits/ddpm_baseline.py.'
        )
        if not is_file(path):
            raise W2SError(
                f'The Inception weights of the standard FID do not exist: {weights} (looked for '
                f'{path.absolute()}). Download {INCEPTION_FILE} (91 MB) to this path, from the '
                f'release v0.2.0 of github.com/toshas/torch-fidelity. {instead}'
            )
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if not found.startswith(INCEPTION_SHA256):
            raise W2SError(
                f'{weights} is not the file of Inception weights of the standard FID: its SHA-256 '
                f'begins with {found[:8]}; expected {INCEPTION_SHA256}. Download {INCEPTION_FILE} '
                f'again, from the release v0.2.0 of github.com/toshas/torch-fidelity. {instead}'
            )
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError as error:
            raise W2SError(
                f'The standard FID needs torch-fidelity ({error}). Run: pip install '
                f'torch-fidelity. {instead}'
            ) from error
        self.fingerprint = found
        with preserved_rng():
            self._network = FeatureExtractorInceptionV3(
                'inception-v3-compat', ['2048'], feature_extractor_weights_path=str(path)
            )
        self._device = torch.device('cpu')

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (N, 2048) of images (N, C, H, W), uint8, RGB or grey."""
        if images.device != self._device:
            self._device = images.device
            self._network.to(self._device)
        return self._network(in_colour(images))[0]


class _FrozenClassifier(FrozenModel):
    role = 'classifier'
    setting = 'features'


@MODELS.register_module()
class ClassifierFeatures:
    """The features of any MMPretrain classifier: the input of its head.

    The metric is named ``FID-<name>``, as its values can be compared with each other only.

    Args:
        name: Name of the features, e.g. ``'digits-classifier'``.
        config: As in :class:`~w2s_mm.core.frozen_model.FrozenModel`.
        checkpoint: Its weights.
        how_to_make: What to do if there is no such checkpoint, for the error message.

    Raises:
        W2SError: The name is empty, or config or checkpoint is missing or damaged, or they do not
            match.
    """

    def __init__(
        self,
        name: str,
        config: str | dict[str, Any],
        checkpoint: str,
        how_to_make: str = 'Train the classifier first.',
    ) -> None:
        checks.text(
            'features.name',
            name,
            "It distinguishes this FID from the standard one, e.g. 'digits-classifier'.",
        )
        checks.text('features.checkpoint', checkpoint)
        checks.text('features.how_to_make', how_to_make)
        self.metric = f'FID-{name}'
        if is_missing(checkpoint):
            raise W2SError(
                f'The classifier whose features {self.metric} uses does not exist: {checkpoint} '
                f'(looked for {Path(checkpoint).absolute()}). {how_to_make}'
            )
        self._frozen = _FrozenClassifier(config, checkpoint)
        classifier = self._frozen.model
        if not hasattr(classifier, 'extract_feat'):
            raise W2SError(
                f'features.config builds a {type(classifier).__name__}; expected an image '
                f'classifier of MMPretrain, with extract_feat.'
            )
        assert self._frozen.fingerprint is not None
        self.fingerprint = self._frozen.fingerprint
        self.dim = self(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape[1]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (N, D) of images (N, C, H, W), uint8, RGB or grey."""
        self._frozen.to(images.device)
        model: Any = self._frozen.model
        prepared = model.data_preprocessor({'inputs': in_colour(images)}, False)['inputs']
        features = model.extract_feat(prepared)[-1]
        return features if features.dim() == 2 else features.mean(dim=(2, 3))


def in_colour(images: Tensor) -> Tensor:
    """Images (N, 1 or 3, H, W) as images with three channels."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
