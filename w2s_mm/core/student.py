"""Mixin that turns any MM model into a student of a frozen teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.rng import preserved_rng

from .adapters import GradientSync, hide_from_ddp, trainable
from .guard import Guard
from .registry import build_part, check_arguments
from .tape import record
from .teacher import FrozenTeacher

DISTILL_PREFIX = 'loss_distill_'  # of distillation terms in a model's losses
HEADS = 'distill_heads'  # name of the submodule that holds the distill heads


class WeakToStrong:
    """Adds ``gamma * lambda(u) * L_distill`` to a model's own loss (equation (1) of the paper).

    Must be the first base: ``class W2SRetinaNet(WeakToStrong, RetinaNet)``. The model *is* the
    student, so its state-dict keys are the plain model's. It keeps no track of time:
    :class:`~w2s_mm.hooks.WeakToStrongHook` sets the weights and temperatures. While all weights are
    0, ``loss`` is the plain model's.

    Args:
        teacher: Arguments of :class:`FrozenTeacher`.
        distill_head: Config of a :class:`~w2s_mm.core.distill_head.DistillHead`, or a list of
            configs; the terms of all heads are added up.
        gamma: Factor on all distillation terms. 0 switches distillation off; the teacher is then
            never built.
        *args: Passed on to the plain model.
        **kwargs: Passed on to the plain model.

    Attributes:
        distill_heads: The heads; empty once distillation has ended.
        weights: Current factor on each head's terms, including ``gamma`` and the head's ``weight``.
        temperatures: Current temperature of each head.
        guard: Drops the teacher's answers that have NaN or infinity, and counts them.

    Raises:
        W2SError: ``gamma`` is negative, or ``distill_head`` is empty.
    """

    def __init__(
        self,
        *args: Any,
        teacher: dict[str, Any],
        distill_head: dict[str, Any] | Sequence[dict[str, Any]],
        gamma: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        checks.number('model.gamma', gamma, least=0)
        checks.settings('model.teacher', teacher, 'dict(config=..., checkpoint=...)')
        check_arguments(FrozenTeacher, teacher, 'model.teacher')
        configs = distill_head if isinstance(distill_head, (list, tuple)) else [distill_head]
        if not configs:
            raise W2SError('model.distill_head is an empty list; expected at least one head.')
        self.teacher = FrozenTeacher(**teacher)
        with preserved_rng():  # adapters draw numbers that the plain model does not
            self.distill_heads = nn.ModuleList(
                build_part(config, 'model.distill_head', 'DenseDistillHead') for config in configs
            )
        hide_from_ddp(self, HEADS)
        self.gamma = gamma
        self.guard = Guard(self.teacher.checkpoint)
        self._sync: GradientSync | None = None
        self.set_distillation(weight=0.0, temperature=1.0)

    def set_distillation(
        self, weight: float | Sequence[float], temperature: float | Sequence[float]
    ) -> None:
        """Set ``lambda(u)`` and ``T(u)`` for the next iterations.

        Args:
            weight: ``lambda(u)``, one number for all heads or one per head.
            temperature: ``T(u)``, likewise.
        """
        count = len(self.distill_heads)
        weights, temperatures = (
            [float(each)] * count if isinstance(each, (int, float)) else list(each)
            for each in (weight, temperature)
        )
        self.weights = [
            self.gamma * head.weight * each
            for head, each in zip(self.distill_heads, weights, strict=True)
        ]
        self.temperatures = temperatures

    @property
    def distilling(self) -> bool:
        """Whether the next loss includes a distillation term."""
        return any(weight > 0 for weight in self.weights)

    def prepare_teacher(self) -> None:
        """Build the teacher and check that it fits the student, before training starts.

        Raises:
            W2SError: The teacher is missing or damaged, or does not fit this student.
        """
        self.teacher.load()
        for head in self.distill_heads:
            head.check(self, self.teacher.model)
            if self.teacher.memory is not None and head.memory_key() is None:
                raise W2SError(
                    f'model.teacher.remember is set, and {type(head).__name__} needs the teacher '
                    f'in every iteration: what it compares also depends on the student. Remove '
                    f'model.teacher.remember, or choose a head whose answers can be kept: '
                    f'DenseDistillHead, LogitDistillHead.'
                )
        self.teacher.reconcile(self)
        if self._sync is None:
            self._sync = GradientSync(trainable(self.distill_heads))

    def end_distillation(self) -> None:
        """Free the teacher's memory and remove the heads. The model is then the plain model."""
        self.teacher.release()
        if self._sync is not None:
            self._sync.remove()
            self._sync = None
        self.distill_heads = nn.ModuleList()
        self.set_distillation(weight=0.0, temperature=1.0)

    def loss(self, inputs: Tensor, data_samples: Any = None) -> dict[str, Any]:
        """The plain model's losses, plus the weighted distillation terms while distilling.

        Args:
            inputs: Images of shape (N, C, H, W), normalised for the student.
            data_samples: Their N data samples, if the model uses any.

        Returns:
            Losses by name. The ``loss_distill_*`` terms are already weighted; with several heads
            they are named ``loss_distill_<head index>.*``.

        Raises:
            W2SError: The teacher's first few answers all had NaN or infinity.
        """
        if not self.distilling:  # lambda = 0: exactly the baseline's code path
            return super().loss(inputs, data_samples)  # type: ignore[misc]
        self.guard.check_last()
        active = [i for i, weight in enumerate(self.weights) if weight > 0]
        heads = [self.distill_heads[i] for i in active]
        taps = dict.fromkeys(tap for head in heads for tap in head.taps(self))
        with record(self, tuple(taps)) as tape:
            losses = super().loss(inputs, data_samples)  # type: ignore[misc]
        self.teacher.to(inputs.device)
        answers = self.teacher.answers(self, heads, inputs, data_samples, tape)
        with torch.no_grad():
            # Before the loss is computed: 0 times a NaN gradient is NaN.
            answers = self.guard.admit(answers, inputs.device)
        distilled = {}
        for index, head, answer in zip(active, heads, answers, strict=True):
            prefix = f'{DISTILL_PREFIX}{index}.' if len(self.weights) > 1 else DISTILL_PREFIX
            terms = head.loss(self, tape, answer, self.temperatures[index])
            terms = _with_every_adapter(head, terms)
            for name, term in terms.items():
                distilled[prefix + name] = self.guard.masked(self.weights[index] * term)
        return {**losses, **distilled}


def _with_every_adapter(head: nn.Module, terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The terms, with a zero gradient for every parameter of the head that they do not use."""
    parameters = trainable(head)
    if not parameters or not terms:
        return terms
    first = next(iter(terms))
    zero = sum(parameter.sum() for parameter in parameters) * 0.0
    return {**terms, first: terms[first] + zero}
