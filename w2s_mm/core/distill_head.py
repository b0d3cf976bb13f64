"""What a task has to say to be distilled: what to record, what to ask, how to compare."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from w2s_mm.losses.kl import full_precision

from .tape import Call, Tape
from .teacher import FrozenTeacher


class DistillHead(nn.Module):
    """Base of the distill heads; has no parameters and no buffers, so it is in no checkpoint."""

    @abstractmethod
    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """Names of the submodules of a student (or teacher) whose calls are to be recorded."""

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Refuse a teacher that cannot be compared with the student, before training starts.

        Raises:
            W2SError: They do not fit; the message gives both sides.
        """

    @abstractmethod
    def ask(
        self,
        student: nn.Module,
        teacher: FrozenTeacher,
        inputs: Tensor,
        data_samples: Sequence[Any],
        tape: Tape,
    ) -> Any:
        """The teacher's answer to the question that the student has just answered.

        Called without gradients. ``inputs`` are the student's, of shape (N, C, H, W).
        """

    @abstractmethod
    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Unweighted distillation terms, scalars, by name; ``temperature`` is ``T(u)``."""

    @abstractmethod
    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """How unsure a teacher's recorded answers are, in nats, one number for each, shape (R,)."""

    @abstractmethod
    def divergence(self, student: nn.Module, tape: Tape, answer: Any) -> Tensor:
        """KL(student || teacher) at T = 1 in nats, one number for each answer, shape (R,).

        Over the same answers that :meth:`loss` compares, whatever form that takes there.
        """

    def feature_tap(self, model: nn.Module) -> str:
        """Name of the submodule whose call gives the features of a diagnosis."""
        return 'backbone'

    def features(self, call: Call) -> Tensor:
        """One row of features for each image, shape (N, K): the last map, pooled over positions.

        Args:
            call: The recorded call of :meth:`feature_tap`.
        """
        last = call.output[-1] if isinstance(call.output, (tuple, list)) else call.output
        return full_precision(last).flatten(2).mean(-1) if last.dim() > 2 else full_precision(last)
