"""Convert the student's batches to the normalisation the teacher was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import normalizes, swaps_channels


@dataclass(frozen=True)
class _PixelFormat:
    """Settings of a data preprocessor; ``mean`` and ``std`` have one value or one per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    swaps_channels: bool
    pad_value: float
    pad_size_divisor: int

    @classmethod
    def of(cls, preprocessor: nn.Module) -> _PixelFormat:
        scaled = normalizes(preprocessor)

        def values(name: str, default: float) -> tuple[float, ...]:
            return tuple(getattr(preprocessor, name).flatten().tolist() if scaled else [default])

        return cls(
            mean=values('mean', 0.0),
            std=values('std', 1.0),
            swaps_channels=swaps_channels(preprocessor),
            pad_value=float(getattr(preprocessor, 'pad_value', 0)),
            pad_size_divisor=int(getattr(preprocessor, 'pad_size_divisor', 1)),
        )


class Renormalize:
    """Converts a batch from the student's normalisation to the teacher's.

    With ``x_s = (pixel - mean_s) / std_s``, the teacher receives
    ``x_t = (x_s * std_s + mean_s - mean_t) / std_t``, in its own channel order and with its own
    padding value. Batches are returned unchanged if the preprocessors are equal.

    Args:
        student: The student's data preprocessor.
        teacher: The teacher's data preprocessor.

    Raises:
        W2SError: The student's padding is not a multiple of the teacher's.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        ours, theirs = _PixelFormat.of(student), _PixelFormat.of(teacher)
        if ours.pad_size_divisor % theirs.pad_size_divisor:
            raise W2SError(
                f'The teacher pads images to a multiple of {theirs.pad_size_divisor}, the student '
                f"to a multiple of {ours.pad_size_divisor}. Expected a multiple of the teacher's: "
                f'set model.data_preprocessor.pad_size_divisor={theirs.pad_size_divisor}.'
            )
        self.swap = ours.swaps_channels != theirs.swaps_channels
        mean_s, std_s, mean_t, std_t = torch.broadcast_tensors(
            *(
                torch.tensor(values, dtype=torch.float64)
                for values in (ours.mean, ours.std, theirs.mean, theirs.std)
            )
        )
        if self.swap:  # the student's constants, in the teacher's channel order
            mean_s, std_s = mean_s.flip(0), std_s.flip(0)
        self.pad_value = theirs.pad_value
        same_values = torch.equal(mean_s, mean_t) and torch.equal(std_s, std_t)
        self.same_pixels = not self.swap and same_values
        self.identity = self.same_pixels and ours.pad_value == theirs.pad_value
        scale, shift = std_s / std_t, (mean_s - mean_t) / std_t
        self._constants = shift.float().view(1, -1, 1, 1), scale.float().view(1, -1, 1, 1)
        # Copies on the device and in the dtype of the last batch.
        self._shift, self._scale = self._constants

    def __call__(self, inputs: Tensor, data_samples: Sequence[Any] | None) -> Tensor:
        """Renormalise a batch.

        Args:
            inputs: Student-normalised images, shape (N, C, H, W).
            data_samples: N samples with the image size before padding in ``img_shape``. Without
                it, images are taken as unpadded.

        Returns:
            Teacher-normalised images, shape (N, C, H, W); ``inputs`` itself if nothing differs.
        """
        if self.identity:
            return inputs
        images = inputs.flip(1) if self.swap else inputs
        if not self.same_pixels:
            if (self._scale.device, self._scale.dtype) != (images.device, images.dtype):
                self._shift, self._scale = (constant.to(images) for constant in self._constants)
            images = torch.addcmul(self._shift, images, self._scale)
        elif images is inputs:
            images = inputs.clone()
        for image, sample in zip(images, data_samples or (), strict=False):
            height, width = sample.metainfo.get('img_shape', inputs.shape[-2:])[:2]
            image[:, height:, :] = self.pad_value
            image[:, :, width:] = self.pad_value
        return images
