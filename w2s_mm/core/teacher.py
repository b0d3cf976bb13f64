"""The frozen teacher: a plain object, hidden from optimizer, checkpoints, DDP and EMA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError

from .frozen_model import FrozenModel
from .memory import AnswerMemory, Head
from .preprocess import Renormalize
from .tape import Tape, record


class FrozenTeacher(FrozenModel):
    """The weak model ``g`` of arXiv 2604.15451, section 3, run on the student's batches.

    It moves to the student's device and receives images in the normalisation it was trained with.
    It is not built when a student is only tested.

    Args:
        config: See :class:`FrozenModel`.
        checkpoint: See :class:`FrozenModel`.
        weights_only: See :class:`FrozenModel`.
        dtype: Precision of its convolutions and matrix products (autocast); the weights stay in
            float32, and losses are computed in float32. Default: that of the run, which is float32
            without ``--amp``.
        remember: Folder in which its answers are kept, see
            :class:`~w2s_mm.core.memory.AnswerMemory`; runs may share it. Default: none are.
        remember_mb: Megabytes of answers that are kept at most.

    Attributes:
        memory: The answers that are kept, None without ``remember``.

    Raises:
        W2SError: An argument is out of range; see also :class:`FrozenModel`.
    """

    role = 'teacher'
    setting = 'model.teacher'
    trusted = 'set model.teacher.weights_only=False'
    absent = 'Train the teacher first, or set model.teacher.checkpoint to its checkpoint.'

    def __init__(
        self,
        config: str | dict[str, Any],
        checkpoint: str,
        weights_only: bool = True,
        dtype: Literal['float32', 'bfloat16', 'float16'] | None = None,
        remember: str | None = None,
        remember_mb: float = 1000,
    ) -> None:
        super().__init__(config, checkpoint, weights_only)
        if dtype is not None:
            checks.choice('model.teacher.dtype', dtype, ('float32', 'bfloat16', 'float16'))
        if remember is not None:
            checks.text('model.teacher.remember', remember, 'It is a folder.')
        checks.number('model.teacher.remember_mb', remember_mb, above=0)
        self.dtype = dtype
        self.memory: AnswerMemory | None = None
        if remember is not None:
            say = partial(print_log, logger='current')
            self.memory = AnswerMemory(Path(remember), int(1e6 * remember_mb), say)
        self._renormalize: Renormalize | None = None
        self._taps: tuple[str, ...] = ()
        self._in_batch = False
        self._answer: tuple[Any, Tape] | None = None

    def check_classes(self, dataset: Any) -> None:
        """Check that a data set has the classes that the teacher was trained on.

        Args:
            dataset: An MM data set. Not checked if its ``metainfo`` has no classes.

        Raises:
            W2SError: The classes or their order differ.
        """
        ours = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        if ours and self.classes and tuple(ours) != self.classes:
            raise W2SError(
                f'{self.checkpoint} was trained on other classes, or on the same in another order: '
                f'teacher {self.classes}, student {tuple(ours)}. Choose a teacher trained on the '
                f'same classes.'
            )

    def reconcile(self, student: nn.Module) -> Renormalize:
        """The conversion of the student's batches for the teacher, created on the first call.

        Raises:
            W2SError: The two preprocessors are incompatible.
        """
        if self._renormalize is None:
            self._renormalize = Renormalize(student.data_preprocessor, self.model.data_preprocessor)
        return self._renormalize

    def see(self, student: nn.Module, inputs: Tensor, samples: Sequence[Any] | None) -> Tensor:
        """Convert the student's batch to the teacher's normalisation.

        Args:
            student: The model whose ``data_preprocessor`` normalised ``inputs``.
            inputs: Images of shape (N, C, H, W).
            samples: Their N data samples.

        Returns:
            Images of shape (N, C, H, W), on the same device.

        Raises:
            W2SError: The two preprocessors are incompatible.
        """
        return self.reconcile(student)(inputs, samples)

    @contextmanager
    def batch(self, heads: Sequence[Head] = ()) -> Iterator[None]:
        """Inside, :meth:`answer` runs the teacher once, in its precision, and records the taps."""
        taps = (tap for head in heads for tap in head.teacher_taps(self.model))
        self._taps, self._in_batch = tuple(dict.fromkeys(taps)), True
        try:
            with self._precision():
                yield
        finally:
            self._taps, self._in_batch, self._answer = (), False, None

    def answers(
        self,
        student: nn.Module,
        heads: Sequence[Head],
        inputs: Tensor,
        data_samples: Any,
        tape: Tape,
    ) -> list[Any]:
        """What each head needs of the teacher, remembered or asked now.

        Args:
            student: The student.
            heads: The heads that distil now.
            inputs: Its images, shape (N, C, H, W).
            data_samples: Their N data samples, if the model uses any.
            tape: The recorded calls of the student.
        """

        def ask(images: Tensor, samples: Any) -> list[Any]:
            with self.batch(heads):
                return [head.ask(student, self, images, samples, tape) for head in heads]

        with torch.no_grad():
            if self.memory is None or self.memory.given_up:
                return ask(inputs, data_samples)
            about = self.fingerprint, self.dtype
            divisor = int(getattr(student.data_preprocessor, 'pad_size_divisor', 1))
            parts = self.memory.answers(about, heads, ask, inputs, data_samples, divisor)
            return [
                head.join(self.model, each, tape) for head, each in zip(heads, parts, strict=True)
            ]

    def account(self) -> str:
        """A sentence about what was remembered since the start of this process, or nothing."""
        if self.memory is None:
            return ''
        asked, images = self.memory.asked, self.memory.asked + self.memory.remembered
        return f'It was asked about {asked:,} of {images:,} images; the other answers were kept. '

    def _precision(self) -> AbstractContextManager[Any]:
        if self.dtype is None:
            return nullcontext()
        half = self.dtype != 'float32'
        kind = getattr(torch, self.dtype) if half else None
        return torch.autocast(self._device.type, kind, enabled=half)

    def answer(
        self, student: nn.Module, inputs: Tensor, samples: Sequence[Any] | None
    ) -> tuple[Any, Tape]:
        """The teacher's raw output on the student's images, and the recorded calls.

        Args:
            student: The student.
            inputs: Its images, shape (N, C, H, W).
            samples: Their N data samples, with the image size before padding in ``img_shape``;
                None if images are not padded.

        Returns:
            The model's output in mode ``'tensor'``, and a tape with the taps of :meth:`batch`.
        """
        if self._answer is not None:
            return self._answer
        images = self.see(student, inputs, samples)
        with torch.no_grad(), record(self.model, self._taps) as tape:
            answer = self.model(images, mode='tensor'), tape
        if self._in_batch:
            self._answer = answer
        return answer

    def release(self) -> None:
        """Drop the model and free its memory. It cannot be loaded again."""
        super().release()
        self._renormalize = None
        self._answer = None
        self.memory = None
