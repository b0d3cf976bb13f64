"""The mixin that makes any MM model a student of a frozen teacher."""

from __future__ import annotations

import logging
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.registry import MODELS
from torch import Tensor

from w2s_mm.utils.errors import W2SError

from .guard import all_finite, silenced_unless
from .tape import record
from .teacher import FrozenTeacher

DISTILL_PREFIX = 'loss_distill_'  # of the distillation terms among a model's losses
MAX_DROPPED = 3  # answers in a row that may be NaN or infinite


class WeakToStrong:
    """Adds ``gamma * lambda(u) * L_distill`` to a model's own loss (equation (1) of the paper).

    Comes first in the bases: ``class W2SRetinaNet(WeakToStrong, RetinaNet)``. The model *is* the
    student, so its state-dict keys are the plain model's. It knows no epoch:
    :class:`~w2s_mm.hooks.WeakToStrongHook` pushes the weight and the temperature. While the weight
    is 0, ``loss`` is the plain model's.

    Where a teacher answers with NaN or infinity, that iteration's distillation terms are 0 and so
    are their gradients: what is left is the plain model's loss. All ranks agree on it, so they
    drop together and, after :data:`MAX_DROPPED` such answers in a row, raise together. Nothing
    branches on the device's verdict when it is found, as that would make every iteration wait for
    the device: the next iteration reads it, when the loop has long waited for the losses anyway.
    So the warning comes one iteration late.

    Args:
        teacher: Arguments of :class:`FrozenTeacher`.
        distill_head: Config of a :class:`~w2s_mm.core.distill_head.DistillHead`.
        gamma: Scale of the distillation term; 0 switches distillation off, and then the teacher
            is never built.
        *args: Passed on to the plain model.
        **kwargs: Passed on to the plain model.

    Raises:
        W2SError: ``gamma`` is negative.
    """

    def __init__(
        self,
        *args: Any,
        teacher: dict[str, Any],
        distill_head: dict[str, Any],
        gamma: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not gamma >= 0:
            raise W2SError(f'model.gamma is {gamma}; expected a number of at least 0.')
        self.teacher = FrozenTeacher(**teacher)
        self.distill_head = MODELS.build(distill_head)
        self.gamma = gamma
        self._last_finite: Tensor | None = None  # the verdict on the last answer, not yet read
        self._dropped = 0  # answers in a row
        self.set_distillation(weight=0.0, temperature=1.0)

    def set_distillation(self, weight: float, temperature: float) -> None:
        """Set ``lambda(u)`` and ``T(u)`` for the iterations to come."""
        self._weight = self.gamma * weight
        self._temperature = temperature

    @property
    def distilling(self) -> bool:
        """Whether the next loss includes the distillation term."""
        return self._weight > 0

    def prepare_teacher(self) -> None:
        """Build the teacher and check that it fits, so that errors come before training.

        Raises:
            W2SError: The teacher is absent, damaged, or does not fit this student.
        """
        self.teacher.load()
        self.distill_head.check(self, self.teacher.model)
        self.teacher.reconcile(self)

    def loss(self, inputs: Tensor, data_samples: Any = None) -> dict[str, Any]:
        """The plain model's losses, and the weighted distillation terms while distilling.

        Args:
            inputs: Images of shape (N, C, H, W), normalised for the student.
            data_samples: Their N data samples, if the model looks at any.

        Returns:
            The losses by name; ``loss_distill_*`` are already weighted.

        Raises:
            W2SError: The teacher's last answers were all NaN or infinite.
        """
        if not self.distilling:  # lambda = 0: exactly the baseline's code path
            return super().loss(inputs, data_samples)  # type: ignore[misc]
        self._heed_last_answer()
        with record(self, self.distill_head.taps(self)) as tape:
            losses = super().loss(inputs, data_samples)  # type: ignore[misc]
        self.teacher.to(inputs.device)
        with torch.no_grad():
            answer = self.distill_head.ask(self, self.teacher, inputs, data_samples, tape)
            self._last_finite = finite = all_finite(answer, inputs.device)
            # Before the loss: 0 times a gradient that has met NaN would be NaN.
            answer = silenced_unless(finite, answer)
        terms = self.distill_head.loss(self, tape, answer, self._temperature)
        weighted = {
            f'{DISTILL_PREFIX}{name}': (self._weight * term).where(finite, 0.0)
            for name, term in terms.items()
        }
        return {**losses, **weighted}

    def _heed_last_answer(self) -> None:
        """Warn of a last answer that was dropped, and give up after too many in a row."""
        finite, self._last_finite = self._last_finite, None
        if finite is None:
            return
        self._dropped = 0 if finite else self._dropped + 1
        if self._dropped >= MAX_DROPPED:
            raise W2SError(
                f'The teacher answered with NaN or infinity {self._dropped} times in a row. '
                f'Evaluate it alone (tools/test.py with its own config and '
                f'{self.teacher.checkpoint}): its weights may be broken. If it is sound there, and '
                f'this run is under --amp, its activations may be too large for float16: type '
                f'--cfg-options optim_wrapper.dtype=bfloat16.'
            )
        if self._dropped:
            print_log(
                f'The teacher answered the last batch with NaN or infinity: its distillation term '
                f'was dropped ({self._dropped} in a row; {MAX_DROPPED} are an error).',
                logger='current',
                level=logging.WARNING,
            )
