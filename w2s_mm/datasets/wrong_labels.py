"""Wrong labels, to train teachers that a student should not follow."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from mmengine.registry import TRANSFORMS

from w2s_mm.utils import checks

How = Literal['shuffled', 'permuted']
_KEYS = ('gt_label', 'gt_bboxes_labels')  # of MMPretrain and of MMDetection


@TRANSFORMS.register_module()
class WrongLabels:
    """Replace the class of an image, or of each of its objects.

    Args:
        classes: Number of classes.
        how: ``'shuffled'``: a random class, always the same for an image; ``'permuted'``: the next
            class, and the first one for the last.
        seed: Of the random classes.

    Raises:
        W2SError: An argument is out of range.
    """

    def __init__(self, classes: int, how: How = 'shuffled', seed: int = 0) -> None:
        checks.whole_number('classes of WrongLabels', classes, least=2)
        checks.choice('how of WrongLabels', how, get_args(How))
        checks.whole_number('seed of WrongLabels', seed, least=0, most=checks.SEEDS)
        self.classes = classes
        self.how = how
        self.seed = seed

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the labels in what a pipeline passes on."""
        for key in _KEYS:
            if key in results:
                wrong = self._wrong(np.atleast_1d(results[key]), results['sample_idx'])
                results[key] = int(wrong[0]) if np.isscalar(results[key]) else wrong
        return results

    def _wrong(self, labels: np.ndarray, index: int) -> np.ndarray:
        if self.how == 'permuted':
            return (labels + 1) % self.classes
        rng = np.random.default_rng((self.seed, index))
        return rng.integers(self.classes, size=len(labels)).astype(labels.dtype)
