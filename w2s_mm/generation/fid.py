"""FID as a metric of MMEngine's evaluator."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import (
    all_reduce,
    barrier,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import DATASETS, METRICS
from torch import Tensor

from w2s_mm.core.registry import build_part
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_bytes
from w2s_mm.utils.rng import preserved_rng

from .statistics import FeatureStatistics, frechet_distance

FORMAT = 1  # of the cached statistics
PROBED = 16  # number of reference images whose pixels are part of the key


@METRICS.register_module()
class FID(BaseMetric):
    """Fréchet distance between samples and reference images, in the features of a frozen network.

    With :class:`~w2s_mm.generation.InceptionFeatures` it is the standard FID (arXiv 1706.08500)
    and named ``FID``; with :class:`~w2s_mm.generation.ClassifierFeatures` it is named
    ``FID-<name>``. Its validation set is :class:`~w2s_mm.generation.SamplingSeeds`.

    All files are checked and loaded when the validation loop is built, before training. The
    statistics of the reference are computed once and saved in ``cache``, under a name made from
    the network's weights and the data set (its config, length and a few of its images). The folder
    can be deleted at any time.

    The sums of all processes are added, so the value does not depend on their number.

    Args:
        reference: Config of a data set whose ``inputs`` are images (C, H, W), uint8.
        features: Config of the network; by default Inception with its weights in
            ``data/inception``.
        cache: Folder for the statistics of the reference.
        batch_size: Batch size for the reference images.

    Raises:
        W2SError: Files are missing, or there are fewer samples or reference images than the
            covariance needs; during validation: a sample is NaN, or its shape is not that of the
            reference.
    """

    default_prefix = ''

    def __init__(
        self,
        reference: dict[str, Any],
        features: dict[str, Any] | None = None,
        cache: str = 'work_dirs/fid_reference',
        batch_size: int = 100,
    ) -> None:
        super().__init__()
        checks.settings('reference of the FID metric', reference)
        checks.text('cache of the FID metric', cache)
        checks.whole_number('batch_size of the FID metric', batch_size)
        features = {'type': 'InceptionFeatures'} if features is None else features
        self.features: Any = build_part(features, 'features of the FID metric', 'InceptionFeatures')
        self.reference = reference
        self.cache = Path(cache)
        self.batch_size = batch_size
        self._expected = 0
        self._start()

    def _start(self) -> None:
        self._statistics = FeatureStatistics(self.features.dim)
        self._broken = torch.zeros(1)
        self._told = time.monotonic()

    # ------------------------------------------------------------ before training

    @property
    def reported_names(self) -> tuple[str, ...]:
        """What it reports."""
        return (self.features.metric,)

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Meta data of the validation set; the validation loop sets it when it is built."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict[str, Any]) -> None:
        if 'samples' not in (meta or {}):
            raise W2SError(
                f'{self.features.metric} needs a data set of seeds for its samples. Set '
                f"dataset=dict(type='SamplingSeeds', count=...) in the dataloader."
            )
        self._dataset_meta = meta
        self._expected = meta['samples']
        self._check_enough(self._expected, 'samples', 'dataset.count of SamplingSeeds')
        with preserved_rng():
            self._load_reference()

    def _check_enough(self, count: int, of: str, remedy: str) -> None:
        least = self.features.dim + 1
        if count < least:
            raise W2SError(
                f'{self.features.metric} would be computed from {count} {of}, and the covariance '
                f'of {self.features.dim} features needs at least {least}. Set {remedy} to {least} '
                f'or more; with more, the value is less noisy.'
            )

    def _load_reference(self) -> None:
        """Statistics of the reference images, from the cache or computed by all processes."""
        dataset = build_part(self.reference, 'reference of the FID metric', 'DigitScans', DATASETS)
        self._check_enough(len(dataset), 'reference images', 'reference of the FID metric')
        first = dataset[0]['inputs']
        if first.dtype != torch.uint8 or first.dim() != 3:
            raise W2SError(
                f'The reference images are {first.dtype} of shape {tuple(first.shape)}; expected '
                f'uint8 of shape (C, H, W), the output of PackInputs.'
            )
        self._shape = tuple(first.shape)
        path = self.cache / f'{self.features.metric}_{self._key(dataset)}.npz'
        there = [_load_statistics(path) is not None]
        broadcast_object_list(there)
        if not there[0]:
            self._compute_reference(dataset, path)
            barrier()
        statistics = _load_statistics(path)
        assert statistics is not None
        self._mean, self._covariance = statistics

    def _compute_reference(self, dataset: Any, path: Path) -> None:
        statistics = FeatureStatistics(self.features.dim)
        told = time.monotonic()
        for done, images in self._batches(dataset):
            statistics.update(self.features(images.to(get_device())))
            told = self._tell(told, done, len(dataset), 'reference images')
        statistics = statistics.of_all_processes()
        if is_main_process():
            content = io.BytesIO()
            np.savez(content, mean=statistics.mean, covariance=statistics.covariance)
            write_bytes(path, content.getvalue())
            print_log(f'Statistics of {len(dataset):,} reference images saved: {path}', 'current')

    def _batches(self, dataset: Any) -> Iterator[tuple[int, Tensor]]:
        """The images of this process in batches, each with how many all processes have done."""
        own = range(get_rank(), len(dataset), get_world_size())
        for start in range(0, len(own), self.batch_size):
            chosen = own[start : start + self.batch_size]
            yield chosen[-1] + 1, torch.stack([dataset[index]['inputs'] for index in chosen])

    def _key(self, dataset: Any) -> str:
        digest = hashlib.sha256(repr((FORMAT, self.features.fingerprint, self.reference)).encode())
        for index in np.linspace(0, len(dataset) - 1, PROBED).astype(int).tolist():
            digest.update(dataset[index]['inputs'].numpy().tobytes())
        return f'{len(dataset)}_{digest.hexdigest()[:16]}'

    # ----------------------------------------------------------------- evaluation

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Add samples: each has ``generated``, an image (C, H, W), uint8, and ``finite``."""
        images = torch.stack([sample['generated'] for sample in data_samples])
        if tuple(images.shape[1:]) != self._shape:
            raise W2SError(
                f'The samples have the shape {tuple(images.shape[1:])} (C, H, W), the reference '
                f'images {self._shape}. Make the two equal: `reference` of the FID metric and the '
                f"model's image size."
            )
        self._broken += sum(not bool(sample['finite']) for sample in data_samples)
        self._statistics.update(self.features(images))
        drawn = min(self._statistics.count * get_world_size(), self._expected)
        self._told = self._tell(self._told, drawn, self._expected, 'samples')

    def _tell(self, told: float, done: int, total: int, what: str, seconds: float = 10) -> float:
        """Log the progress every few seconds; returns the time of the last log line."""
        now = time.monotonic()
        if now - told < seconds:
            return told
        print_log(f'{self.features.metric}: {min(done, total):,} of {total:,} {what}', 'current')
        return now

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Not used: the metric adds sums up instead of collecting results."""
        raise NotImplementedError

    def evaluate(self, size: int) -> dict[str, float]:
        """The distance, the same on every process.

        Args:
            size: Total number of samples.

        Returns:
            The value under the metric's name; empty if only a part of the samples was drawn.

        Raises:
            W2SError: A sample is NaN, or some were drawn twice.
        """
        statistics, broken = self._statistics.of_all_processes(), self._broken
        all_reduce(broken, 'sum')
        self._start()
        if broken:
            raise W2SError(
                f'{int(broken)} of {statistics.count} samples contain NaN: the model has diverged. '
                f'The run ends here, and no checkpoint was saved after this validation. Check the '
                f'loss curve, resume from a checkpoint before the loss rose (--resume FILE), or '
                f'start again with a lower learning rate or gradient clipping.'
            )
        if statistics.count > size:
            raise W2SError(
                f'{statistics.count} samples were drawn for {size} seeds, some of them twice. Set '
                f'round_up=False in the sampler of the dataloader.'
            )
        if statistics.count < size:
            return {}
        values = [self._distance(statistics) if is_main_process() else 0.0]
        broadcast_object_list(values)
        return {self.features.metric: values[0]}

    def _distance(self, statistics: FeatureStatistics) -> float:
        return frechet_distance(
            statistics.mean, statistics.covariance, self._mean, self._covariance
        )


def _load_statistics(path: Path) -> tuple[Tensor, Tensor] | None:
    """Mean and covariance from the cache; None if the file does not exist or was cut short."""
    try:
        with np.load(path) as kept:
            return torch.from_numpy(kept['mean']), torch.from_numpy(kept['covariance'])
    except (FileNotFoundError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
