"""Validation set of a diffusion model: seeds, so that every validation uses the same noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS, LOOPS
from mmengine.runner import ValLoop
from torch.utils.data import Dataset

from w2s_mm.utils import checks


@DATASETS.register_module()
class SamplingSeeds(Dataset):
    """Seeds of the images that an evaluation samples; image ``i`` depends on ``seed`` and ``i``.

    Every validation of every run with the same ``seed`` starts from the same noise, whatever the
    batch size and the number of processes.

    Args:
        count: Number of images.
        seed: Seed from which theirs are derived.

    Raises:
        W2SError: An argument is out of range.
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        for name, value, least, most in (
            ('count', count, 1, checks.MOST),
            ('seed', seed, 0, checks.SEEDS),
        ):
            checks.whole_number(f'dataset.{name}', value, least, most)
        self.seeds = [
            int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint32)[0])
            for index in range(count)
        ]
        self.metainfo = {'samples': count}

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``inputs``: one seed."""
        return {'inputs': self.seeds[index]}


@LOOPS.register_module()
class SamplingLoop(ValLoop):
    """A validation loop that leaves the random numbers of the run unchanged.

    MMEngine's loop draws one to start its data loader. The loader draws it from a generator of its
    own, so that the numbers are also unchanged for the hooks that are called inside the loop: on a
    new best a checkpoint with their state is saved.
    """

    def run(self) -> dict[str, Any]:
        """Evaluate, and return the metrics."""
        self.dataloader.generator = torch.Generator()
        return super().run()
