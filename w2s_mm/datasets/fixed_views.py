"""Random transforms that show each image in a few fixed ways."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.rng import seeded


@TRANSFORMS.register_module()
class FixedViews:
    """Show each image in one of a few ways, which are the same in every epoch and every run.

    With random crops every view of an image is new, so that none of a teacher's answers can be
    remembered. Here each image has ``views`` views, as in FKD (arXiv 2112.01528): the transforms
    are run with random numbers that depend on the image and the view alone. A view is thus crop,
    flip and colours that come back, and nothing about it has to be stored. Which one is shown is
    drawn with the pipeline's own random numbers.

    This changes the training: an image is seen in fewer ways.

    Args:
        transforms: Configs of the random transforms; the image must be loaded before, and is packed
            after them.
        views: Number of ways in which an image is shown.
        seed: Another seed gives other views.

    Raises:
        W2SError: An argument is out of range; or, in :meth:`__call__`, the data set does not number
            its images.
    """

    def __init__(self, transforms: list[dict[str, Any]], views: int = 4, seed: int = 0) -> None:
        checks.several('transforms of FixedViews', transforms, checks.settings)
        checks.whole_number('views of FixedViews', views)
        checks.whole_number('seed of FixedViews', seed, least=0)
        self.transforms = Compose(transforms)
        self.views = views
        self.seed = seed

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Run the transforms on what the data set says of an image."""
        if 'sample_idx' not in results:
            raise W2SError(
                f'FixedViews needs the number of the image (sample_idx), which data sets of '
                f'MMEngine give; found {", ".join(sorted(results))}. Derive the data set from '
                f'mmengine.dataset.BaseDataset.'
            )
        view = np.random.randint(self.views)
        with seeded(self.seed, int(results['sample_idx']), view):
            return self.transforms(results)

    def __repr__(self) -> str:
        """The transforms and the number of views."""
        return f'FixedViews(views={self.views}, seed={self.seed}, transforms={self.transforms})'
