"""What images are compared by: features of a frozen network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor

from w2s_mm.core.frozen_model import FrozenModel
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import is_missing
from w2s_mm.utils.rng import preserved_rng

INCEPTION_FILE = 'weights-inception-2015-12-05-6726825d.pth'
INCEPTION_SHA256 = '6726825d'  # its beginning, which the name ends with


@MODELS.register_module()
class InceptionFeatures:
    """The 2048 features of the standard FID: the Inception-v3 of 2015, by ``torch-fidelity``.

    Args:
        weights: Path of the weights; no other file makes an FID that compares with others'.

    Raises:
        W2SError: The file is absent or another one, or ``torch-fidelity`` is missing.
    """

    metric = 'FID'
    dim = 2048

    def __init__(self, weights: str = f'data/inception/{INCEPTION_FILE}') -> None:
        path = Path(weights)
        instead = (
            'Without them, train with the features of a classifier of your own '
            "(features=dict(type='ClassifierFeatures', ...) of the FID metric), as "
            'configs/digits/ddpm_baseline.py does.'
        )
        if not path.is_file():
            raise W2SError(
                f'The Inception weights of the standard FID are not there: {weights} (looked for '
                f'{path.absolute()}). Download {INCEPTION_FILE} (91 MB) from the release v0.2.0 of '
                f'github.com/toshas/torch-fidelity to that place. {instead}'
            )
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if not found.startswith(INCEPTION_SHA256):
            raise W2SError(
                f'{weights} are not the Inception weights of the standard FID: their SHA-256 '
                f'begins with {found[:8]}; expected {INCEPTION_SHA256}. Download {INCEPTION_FILE} '
                f'again, from the release v0.2.0 of github.com/toshas/torch-fidelity. {instead}'
            )
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError as error:
            raise W2SError(
                f'The standard FID needs torch-fidelity ({error}). Type: pip install '
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
    """The features of any MMPretrain classifier: what its head is given.

    The metric is then called ``FID-<name>``, as its values compare with each other only.

    Args:
        name: Says whose features they are, e.g. ``'digits-classifier'``.
        config: As that of :class:`~w2s_mm.core.frozen_model.FrozenModel`.
        checkpoint: Its weights.
        how_to_make: What to type where there is no such checkpoint.

    Raises:
        W2SError: The name is empty, or config and checkpoint are absent, damaged or disagree.
    """

    def __init__(
        self,
        name: str,
        config: str | dict[str, Any],
        checkpoint: str,
        how_to_make: str = 'Train the classifier first.',
    ) -> None:
        if not name:
            raise W2SError(
                'features.name is empty; expected what tells this FID from the standard one, e.g. '
                "'digits-classifier'."
            )
        self.metric = f'FID-{name}'
        if is_missing(checkpoint):
            raise W2SError(
                f'The classifier that {self.metric} takes its features from is not there: '
                f'{checkpoint} (looked for {Path(checkpoint).absolute()}). {how_to_make}'
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
    """Images (N, 1 or 3, H, W) with three channels."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
