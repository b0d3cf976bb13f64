"""A picture of the samples at every validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from w2s_mm.utils import checks


@HOOKS.register_module()
class SampleGridHook(Hook):
    """Saves the first samples of every validation as one picture, and adds it to the visualizer.

    The samples are those of the validation itself, so no extra ones are drawn: the same seeds every
    time, from the averaged model if there is an ``EMAHook``. ``<work_dir>/samples/`` has one PNG
    per validation, named by its iteration.

    Args:
        count: Number of images; with several processes, only the first one's are used.
        columns: Images per row.
        smallest: Smaller images are enlarged until their height is at least this, in pixels.

    Raises:
        W2SError: An argument is out of range.
    """

    FOLDER = 'samples'

    def __init__(self, count: int = 64, columns: int = 16, smallest: int = 32) -> None:
        for name, value in (('count', count), ('columns', columns), ('smallest', smallest)):
            checks.whole_number(f'{name} of SampleGridHook', value)
        self.count = count
        self.columns = columns
        self.smallest = smallest
        self._images: list[Tensor] = []

    def before_val_epoch(self, runner: Any) -> None:
        """Start a new picture."""
        self._images = []

    def after_val_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Collect samples until there are enough."""
        wanted = self.count - len(self._images)
        self._images += [sample.generated.cpu() for sample in (outputs or ())[:wanted]]

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Save the picture."""
        if not self._images or not is_main_process():
            return
        picture = grid(self._images, self.columns, self.smallest)
        path = Path(runner.work_dir) / self.FOLDER / f'iter_{runner.iter:06d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        runner.visualizer.add_image(self.FOLDER, picture, step=runner.iter)


def grid(images: Sequence[Tensor], columns: int, smallest: int) -> np.ndarray:
    """Images (C, H, W), uint8, with 1 or 3 channels, as one picture (height, width, 3), uint8."""
    scale = math.ceil(smallest / images[0].shape[1])
    large = torch.stack(list(images)).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    return make_grid(large, nrow=columns, padding=2, pad_value=128).permute(1, 2, 0).numpy()
