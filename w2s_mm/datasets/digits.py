"""Handwritten digits in memory, for classification and generation without a download.

The scans are those of scikit-learn's ``load_digits``: the first 1,400 for training and the other
397 for validation, as in the digit scenes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from w2s_mm.utils import checks

from .digit_scenes import CLASSES, SPLITS, load_source, pillow

PAPER = (64, 192)  # grey level of the background
INK = (60, 160)  # added to it by the ink


@DATASETS.register_module()
class NoisyDigits(BaseDataset):
    """Noisy digits in MMPretrain's format: ``img`` and ``gt_label``.

    Each image is an enlarged scan with random foreground and background brightness and Gaussian
    noise. Image ``i`` of a draw of a split depends only on ``seed``, ``size``, ``noise``, the draw
    and ``i``.

    Args:
        split: ``'train'`` or ``'val'``; no scan is in both.
        size: Width and height of an image in pixels, at least 8.
        noise: Standard deviation of the noise, on a scale of 0 to 255.
        seed: Random seed.
        draws: Images of each scan, at least 1: a larger validation set is less noisy.
        **kwargs: Arguments of MMEngine's ``BaseDataset`` not related to files, such as
            ``pipeline``.

    Raises:
        W2SError: An argument is out of range.
        ModuleNotFoundError: scikit-learn or Pillow is missing.
    """

    METAINFO = {'classes': CLASSES}

    def __init__(
        self,
        split: str,
        size: int = 16,
        noise: float = 80.0,
        seed: int = 0,
        draws: int = 1,
        **kwargs: Any,
    ) -> None:
        _check_split(split)
        checks.whole_number('dataset.size', size, least=8, most=4096)
        checks.number('dataset.noise', noise, least=0)
        checks.whole_number('dataset.seed', seed, least=0, most=checks.SEEDS)
        checks.whole_number('dataset.draws', draws, most=10_000)
        self.split = split
        self.size = size
        self.noise = noise
        self.seed = seed
        self.draws = draws
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Draw all images of the split, (S, S, 3) uint8, with their labels."""
        source = load_source(self.split)
        return [
            {'img': self._draw(glyph, index, draw), 'gt_label': int(label)}
            for draw in range(self.draws)
            for index, (glyph, label) in enumerate(zip(source.glyphs, source.labels, strict=True))
        ]

    def _draw(self, glyph: np.ndarray, index: int, draw: int) -> np.ndarray:
        """Draw an image (S, S, 3) from a scan (8, 8) in 0..1."""
        Image = pillow()
        key = (self.seed, SPLITS.index(self.split), index, draw)
        rng = np.random.default_rng(key if draw else key[:3])  # the first draw is that without
        shape = (self.size, self.size)
        ink = np.asarray(Image.fromarray(glyph).resize(shape, Image.BICUBIC)).clip(0, 1)
        image = rng.uniform(*PAPER) + rng.uniform(*INK) * ink[..., None]
        image = image + rng.normal(scale=self.noise, size=(*shape, 3))
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)


@DATASETS.register_module()
class DigitScans(BaseDataset):
    """The unchanged scans of scikit-learn's ``load_digits``: 8x8 px, one channel.

    They are in MMPretrain's format, ``img`` of shape (8, 8, 1), uint8, and ``gt_label``. Their 17
    grey levels are scaled to 0 to 255.

    Args:
        split: ``'train'`` or ``'val'``; no scan is in both.
        **kwargs: Arguments of MMEngine's ``BaseDataset`` not related to files, such as
            ``pipeline``.

    Raises:
        W2SError: ``split`` is unknown.
        ModuleNotFoundError: scikit-learn is missing.
    """

    METAINFO = {'classes': CLASSES}

    def __init__(self, split: str, **kwargs: Any) -> None:
        _check_split(split)
        self.split = split
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """All scans of the split, with their labels."""
        source = load_source(self.split)
        pixels = np.rint(255 * source.glyphs[..., None]).astype(np.uint8)
        return [
            {'img': image, 'gt_label': int(label)}
            for image, label in zip(pixels, source.labels, strict=True)
        ]


def _check_split(split: str) -> None:
    checks.choice('dataset.split', split, SPLITS)
