"""The mixin that makes any MM model a student of a frozen teacher."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor

from .errors import W2SError
from .tape import record
from .teacher import FrozenTeacher


class WeakToStrong:
    """Adds ``gamma * lambda(u) * L_distill`` to a model's own loss (equation (1) of the paper).

    Comes first in the bases: ``class W2SRetinaNet(WeakToStrong, RetinaNet)``. The model *is* the
    student, so its state-dict keys are the plain model's. It knows no epoch:
    :class:`~w2s_mm.hooks.WeakToStrongHook` pushes the weight and the temperature. While the weight
    is 0, ``loss`` is the plain model's.

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
        self.teacher.see(self, torch.zeros(0, 3, 1, 1), ())

    def loss(self, inputs: Tensor, data_samples: Any) -> dict[str, Any]:
        """The plain model's losses, and the weighted distillation terms while distilling.

        Args:
            inputs: Images of shape (N, 3, H, W), normalised for the student.
            data_samples: Their N data samples.

        Returns:
            The losses by name; ``loss_distill_*`` are already weighted.
        """
        if not self.distilling:  # lambda = 0: exactly the baseline's code path
            return super().loss(inputs, data_samples)  # type: ignore[misc]
        with record(self, self.distill_head.taps(self)) as tape:
            losses = super().loss(inputs, data_samples)  # type: ignore[misc]
        self.teacher.to(inputs.device)
        with torch.no_grad():
            answer = self.distill_head.ask(self, self.teacher, inputs, data_samples, tape)
        terms = self.distill_head.loss(self, tape, answer, self._temperature)
        weighted = {f'loss_distill_{name}': self._weight * term for name, term in terms.items()}
        return {**losses, **weighted}
