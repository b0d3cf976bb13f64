"""Base class of distill heads: what to record, what to ask the teacher, how to compare."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from w2s_mm.utils import checks
from w2s_mm.utils.state_dicts import leave_out

from .probe import Probe
from .registry import build_schedule, build_temperature
from .schedule import Schedule, TemperatureRamp
from .tape import Tape
from .teacher import FrozenTeacher


class DistillHead(nn.Module):
    """Base class of distill heads. Each head transfers one signal from teacher to student.

    A head may have trainable parameters (an adapter, such as a feature projection). The student's
    optimizer trains them, their gradients are averaged over all processes, checkpoints store them
    next to the state of the stop rule, and they are removed when distillation ends. A head's
    parameters and buffers are never part of the student's ``state_dict``.

    Args:
        weight: Factor on this head's terms, above 0.
        schedule: Config of this head's own schedule. Default: the hook's schedule.
        temperature: This head's own temperature, in the hook's format. Default: the hook's
            temperature.

    Raises:
        W2SError: ``weight`` is not above 0, or ``schedule`` or ``temperature`` is out of range.
    """

    def __init__(
        self,
        weight: float = 1.0,
        schedule: dict[str, Any] | None = None,
        temperature: float | dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        checks.number(
            f'weight of {type(self).__name__}',
            weight,
            above=0,
            hint='To switch this head off, remove it from model.distill_head.',
        )
        self.weight = weight
        self.schedule: Schedule | None = None if schedule is None else build_schedule(schedule)
        self.temperature: TemperatureRamp | None = (
            None if temperature is None else build_temperature(temperature)
        )
        leave_out(self)

    @abstractmethod
    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """Names of the student submodules whose calls are recorded."""

    def teacher_taps(self, teacher: nn.Module) -> tuple[str, ...]:
        """Names of the teacher submodules that :meth:`FrozenTeacher.answer` records."""
        return ()

    def check(self, student: nn.Module, teacher: nn.Module) -> None:
        """Check that teacher and student can be compared, before training starts.

        Raises:
            W2SError: They cannot; the message describes both.
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
        """Compute the teacher's output that corresponds to the recorded student calls.

        Runs under ``torch.no_grad()``. ``inputs`` are the student's, of shape (N, C, H, W). Heads
        that need the teacher's output on the images call :meth:`FrozenTeacher.answer`, so several
        heads share one forward pass.
        """

    @abstractmethod
    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Unweighted scalar distillation terms by name; ``temperature`` is ``T(u)``."""

    #: Whether :class:`~w2s_mm.core.memory.AnswerMemory` asks about all unknown images of a batch at
    #: once. Otherwise one by one, with its own padding.
    asks_all = False

    def memory_key(self) -> Any:
        """The settings that an answer depends on; None if answers cannot be remembered.

        A head whose answers can be has :meth:`split` and :meth:`join`.
        """
        return None

    def split(self, answer: Any, count: int) -> list[dict[str, Tensor]]:
        """The tensors of each of the ``count`` images of an answer, without its batch."""
        raise NotImplementedError

    def join(self, teacher: nn.Module, parts: Sequence[dict[str, Tensor]], tape: Tape) -> Any:
        """The answer on a batch, from the tensors of its images, which are on the CPU."""
        raise NotImplementedError

    def probe(self) -> Probe | None:
        """Interface for ``w2s diagnose``; None if this head cannot be diagnosed."""
        return None
