"""The frozen teacher: a plain object that no optimizer, checkpoint, DDP or EMA can see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from w2s_mm.utils.errors import W2SError

from .frozen_model import FrozenModel
from .preprocess import Renormalize
from .tape import Tape, record


class _Asks(Protocol):
    def teacher_taps(self, teacher: nn.Module) -> tuple[str, ...]: ...


class FrozenTeacher(FrozenModel):
    """The weak model ``g`` of arXiv 2604.15451, section 3: asked about the student's batches.

    It follows the student's device, and sees images normalised as it was trained to. Testing a
    student never builds it.

    Args:
        config: As that of :class:`FrozenModel`.
        checkpoint: As that of :class:`FrozenModel`.
        weights_only: As that of :class:`FrozenModel`.
    """

    role = 'teacher'
    setting = 'model.teacher'
    absent = 'Train the teacher first, or set model.teacher.checkpoint to its checkpoint.'

    def __init__(
        self, config: str | dict[str, Any], checkpoint: str, weights_only: bool = True
    ) -> None:
        super().__init__(config, checkpoint, weights_only)
        self._renormalize: Renormalize | None = None
        self._taps: tuple[str, ...] = ()
        self._in_batch = False
        self._answer: tuple[Any, Tape] | None = None

    def check_classes(self, dataset: Any) -> None:
        """Refuse a data set whose classes are not those that the checkpoint names.

        Args:
            dataset: One of MM's, with ``metainfo``; without classes there is nothing to check.

        Raises:
            W2SError: Classes or their order differ.
        """
        ours = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        if ours and self.classes and tuple(ours) != self.classes:
            raise W2SError(
                f'{self.checkpoint} was trained on other classes, or in another order: teacher '
                f'{self.classes}, student {tuple(ours)}. Choose a teacher trained on the same '
                f'classes.'
            )

    def reconcile(self, student: nn.Module) -> Renormalize:
        """How the student's batches become the teacher's; worked out on the first call.

        Raises:
            W2SError: The two preprocessors cannot be reconciled.
        """
        if self._renormalize is None:
            self._renormalize = Renormalize(student.data_preprocessor, self.model.data_preprocessor)
        return self._renormalize

    def see(self, student: nn.Module, inputs: Tensor, samples: Sequence[Any] | None) -> Tensor:
        """The student's batch as this teacher was trained to see it.

        Args:
            student: The model whose ``data_preprocessor`` normalised ``inputs``.
            inputs: Images of shape (N, C, H, W).
            samples: Their N data samples.

        Returns:
            Images of shape (N, C, H, W), on the same device.

        Raises:
            W2SError: The two preprocessors cannot be reconciled.
        """
        return self.reconcile(student)(inputs, samples)

    @contextmanager
    def batch(self, heads: Sequence[_Asks] = ()) -> Iterator[None]:
        """While open, :meth:`answer` runs the teacher once, and records what ``heads`` tap."""
        taps = (tap for head in heads for tap in head.teacher_taps(self.model))
        self._taps, self._in_batch = tuple(dict.fromkeys(taps)), True
        try:
            yield
        finally:
            self._taps, self._in_batch, self._answer = (), False, None

    def answer(
        self, student: nn.Module, inputs: Tensor, samples: Sequence[Any] | None
    ) -> tuple[Any, Tape]:
        """The teacher's raw output on the student's images, and what was recorded on the way.

        Args:
            student: The student.
            inputs: Its images, shape (N, C, H, W).
            samples: Their N data samples, whose ``img_shape`` says where padding begins; None
                where an image fills its place.

        Returns:
            What the model gives in the mode ``'tensor'``, and a tape of the taps of :meth:`batch`.
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
        """Forget the model and free its memory; it is not built again."""
        super().release()
        self._renormalize = None
        self._answer = None
