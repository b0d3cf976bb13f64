"""Answers of a teacher, kept on disk, so that it is asked once about each image as it is shown."""

from __future__ import annotations

import collections
import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from w2s_mm.utils.records import KEY_BYTES, Records

from .tape import Tape

VERSION = 1  # of the content of a record
Part = dict[str, Tensor]  # one head's answer on one image, on the CPU

# An image shown in more ways than this, of which hardly one comes back, is not worth remembering.
_WAYS, _PATIENCE, _HITS = 8, 256, 0.1
_BLOCK = 1 << 16  # random numbers drawn at a time


class Head(Protocol):
    """What a distill head needs to ask a teacher, and to remember its answers.

    The methods are those of :class:`~w2s_mm.core.distill_head.DistillHead`.
    """

    asks_all: bool

    def teacher_taps(self, teacher: nn.Module) -> tuple[str, ...]:
        """Submodules of the teacher to record."""

    def ask(
        self, student: nn.Module, teacher: Any, inputs: Tensor, data_samples: Any, tape: Tape
    ) -> Any:
        """The teacher's answer."""

    def memory_key(self) -> Any:
        """The settings that it depends on."""

    def split(self, answer: Any, count: int) -> list[Part]:
        """Its parts, image by image."""

    def join(self, teacher: nn.Module, parts: Sequence[Part], tape: Tape) -> Any:
        """The answer on a batch."""


class AnswerMemory:
    """Remembers what a teacher answered, image by image.

    An image is recognised by its pixels as the student sees them, without the padding of its batch.
    So the answer is found again in a later epoch, after a restart, with another seed and for
    another student, if the pipeline shows the image in the same way; and it is never taken for
    another image's, whatever the pipeline does.

    Args:
        folder: Where answers are kept; those of one teacher and one set of heads in a folder below.
        limit: Bytes of answers that may be kept.
        say: Called with a line for the log.

    Attributes:
        asked: Images that the teacher was asked about.
        remembered: Images whose answers were found.
        given_up: Whether images come back too seldom: :meth:`answers` is of no use any more.
    """

    def __init__(self, folder: Path, limit: int, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.limit = limit
        self.asked = 0
        self.remembered = 0
        self._say = say
        self._stores: dict[str, Records] = {}
        self._shown: collections.Counter[Any] = collections.Counter()
        self._late = [0, 0]  # images shown often before, and how many of them were found
        self.given_up = False
        self._multipliers = torch.empty(2, 0, dtype=torch.int64)

    def answers(
        self,
        about: Any,
        heads: Sequence[Head],
        ask: Callable[[Tensor, Any], list[Any]],
        inputs: Tensor,
        data_samples: Any,
        divisor: int,
    ) -> list[list[Part]]:
        """The parts of the images, one list for each head.

        Args:
            about: What identifies the teacher and its precision.
            heads: The heads that distil now; all of them can remember.
            ask: Answers of the teacher on images and their samples, one for each head.
            inputs: Images of shape (N, C, H, W).
            data_samples: Their N samples, or None.
            divisor: What an image that is asked about alone is padded to a multiple of.
        """
        store = self._store(about, heads, inputs)
        images = [_unpadded(inputs, data_samples, i) for i in range(len(inputs))]
        keys = self._keys(images)
        found = [_unpacked(store.get(key)) for key in keys]
        self._count(keys, found, data_samples)
        missing = [i for i, parts in enumerate(found) if parts is None]
        for group in _groups(missing, all(head.asks_all for head in heads)):
            chosen, samples = _chosen(inputs, data_samples, group, divisor)
            split = [
                head.split(answer, len(group))
                for head, answer in zip(heads, ask(chosen, samples), strict=True)
            ]
            for i, of_heads in zip(group, zip(*split, strict=True), strict=True):
                parts = [{name: x.cpu() for name, x in part.items()} for part in of_heads]
                found[i] = parts
                if not self.given_up and all(map(_finite, parts)):
                    store.add(keys[i], _packed(parts))
        known = [parts for parts in found if parts is not None]
        return [[parts[number] for parts in known] for number in range(len(heads))]

    def _store(self, about: Any, heads: Sequence[Head], inputs: Tensor) -> Records:
        kind = inputs.device.type
        autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        told = repr((VERSION, about, autocast, [head.memory_key() for head in heads]))
        name = hashlib.sha256(told.encode()).hexdigest()[:16]
        if name not in self._stores:
            store = Records(self.folder / name, self.limit, self._say)
            self._stores[name] = store
            self._say(
                f'Remembered answers of the teacher: {len(store):,} in {store.folder} '
                f'({store.size / 1e6:.1f} MB).'
            )
        return self._stores[name]

    def _keys(self, images: Sequence[Tensor]) -> list[bytes]:
        """A key for the pixels and the size of each image, with one transfer from the device."""
        words = max(image.numel() for image in images) // 2 + 1
        if self._multipliers.shape[1] < words or self._multipliers.device != images[0].device:
            self._multipliers = _drawn(words).to(images[0].device)
        sums = torch.stack([_sums(image, self._multipliers) for image in images]).tolist()
        return [
            hashlib.sha256(repr((tuple(image.shape), pair)).encode()).digest()[:KEY_BYTES]
            for image, pair in zip(images, sums, strict=True)
        ]

    def _count(
        self,
        keys: Sequence[bytes],
        found: Sequence[list[Part] | None],
        data_samples: Any,
    ) -> None:
        hits = sum(parts is not None for parts in found)
        self.remembered += hits
        self.asked += len(keys) - hits
        for parts, sample in zip(found, data_samples or (), strict=False):
            info = getattr(sample, 'metainfo', {})
            image = info.get('img_path', info.get('img_id'))
            if image is not None:
                self._shown[image] += 1
                if self._shown[image] > _WAYS:
                    self._late[0] += 1
                    self._late[1] += parts is not None
        late, again = self._late
        if late >= _PATIENCE and again < _HITS * late:
            self.given_up = True
            self._say(
                f'The pipeline shows an image in more ways than can be remembered: of {late:,} '
                f'images shown more than {_WAYS} times before, {again:,} looked as before. The '
                f'teacher is asked from now on, and nothing more is kept.'
            )


def _groups(missing: Sequence[int], at_once: bool) -> list[list[int]]:
    if at_once:
        return [list(missing)] if missing else []
    return [[i] for i in missing]


def _unpadded(inputs: Tensor, data_samples: Any, index: int) -> Tensor:
    height, width = _size(inputs, data_samples, index)
    return inputs[index, :, :height, :width].contiguous()


def _size(inputs: Tensor, data_samples: Any, index: int) -> tuple[int, int]:
    info = data_samples[index].metainfo if data_samples else {}
    height, width = info.get('img_shape', inputs.shape[-2:])[:2]
    return min(height, inputs.shape[-2]), min(width, inputs.shape[-1])


def _chosen(
    inputs: Tensor, data_samples: Any, group: Sequence[int], divisor: int
) -> tuple[Tensor, Any]:
    """Some images of a batch with their samples; a single one is padded as if it were alone."""
    samples = None if data_samples is None else [data_samples[i] for i in group]
    images = inputs[list(group)]
    if len(group) == 1:
        edges = _size(images, samples, 0)
        height, width = (-(-edge // divisor) * divisor for edge in edges)
        images = images[:, :, :height, :width]
    return images, samples


def _drawn(words: int) -> Tensor:
    """Two rows of at least so many random numbers; a longer row begins with a shorter one."""
    blocks = [
        np.random.default_rng(number).integers(-(2**63), 2**63 - 1, (2, _BLOCK), dtype=np.int64)
        for number in range(-(-words // _BLOCK))
    ]
    return torch.from_numpy(np.concatenate(blocks, axis=1))


def _sums(image: Tensor, multipliers: Tensor) -> Tensor:
    """Two sums of the pixels' bits, each times random numbers, modulo 2 to the 64; shape (2,)."""
    pixels = image.flatten().float()
    words = nn.functional.pad(pixels, (0, len(pixels) % 2)).view(torch.int64)
    return (words * multipliers[:, : len(words)]).sum(1)


def _finite(part: Part) -> bool:
    return all(
        bool(torch.isfinite(value).all()) for value in part.values() if value.is_floating_point()
    )


def _packed(parts: Sequence[Part]) -> bytes:
    """The tensors of an image: their names, types and shapes as JSON, and their bytes."""
    head = json.dumps(
        [
            {name: [str(value.dtype).removeprefix('torch.'), *value.shape] for name, value in part}
            for part in (sorted(each.items()) for each in parts)
        ]
    ).encode()
    values = (value for part in parts for _, value in sorted(part.items()))
    body = b''.join(
        value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() for value in values
    )
    return len(head).to_bytes(4, 'little') + head + zlib.compress(body, 1)


def _unpacked(content: bytes | None) -> list[Part] | None:
    if content is None:
        return None
    end = 4 + int.from_bytes(content[:4], 'little')
    body = bytearray(zlib.decompress(content[end:]))
    start = 0
    parts: list[Part] = []
    for told in json.loads(content[4:end]):
        part: Part = {}
        for name, (kind, *shape) in told.items():
            dtype = getattr(torch, kind)
            length = torch.Size(shape).numel() * dtype.itemsize
            # A copy, as a view of another type has to begin at a multiple of its size.
            raw = torch.frombuffer(body[start : start + length] or bytearray(8), dtype=torch.uint8)
            part[name] = raw[:length].view(dtype).reshape(shape)
            start += length
        parts.append(part)
    return parts
