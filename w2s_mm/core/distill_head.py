"""What a task has to say to be distilled: what to record, what to ask, how to compare."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.state_dicts import leave_out

from .probe import Probe
from .registry import build_schedule, build_temperature
from .schedule import Schedule, TemperatureRamp
from .tape import Tape
from .teacher import FrozenTeacher


class DistillHead(nn.Module):
    """Base of the distill heads: one signal from the teacher to the student.

    A head may have trainable parameters (an adapter, such as a projection of features). The
    student's optimizer trains them, several processes average their gradients, a checkpoint keeps
    them beside the stop rule, and they are gone once distillation has ended. Neither they nor a
    head's buffers are ever in the student's ``state_dict``.

    Args:
        weight: Factor on this head's terms, above 0.
        schedule: Config of a schedule of its own; the hook's if None.
        temperature: Temperature of its own, as the hook takes it; the hook's if None.

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
        if not weight > 0:
            raise W2SError(
                f'weight of {type(self).__name__} is {weight}; expected a number above 0. To '
                f'switch this head off, remove it from model.distill_head.'
            )
        self.weight = weight
        self.schedule: Schedule | None = None if schedule is None else build_schedule(schedule)
        self.temperature: TemperatureRamp | None = (
            None if temperature is None else build_temperature(temperature)
        )
        leave_out(self)

    @abstractmethod
    def taps(self, student: nn.Module) -> tuple[str, ...]:
        """Names of the submodules of the student whose calls are to be recorded."""

    def teacher_taps(self, teacher: nn.Module) -> tuple[str, ...]:
        """Names of the submodules that :meth:`FrozenTeacher.answer` is to record; here none."""
        return ()

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

        Called without gradients. ``inputs`` are the student's, of shape (N, C, H, W). A head that
        asks about the images themselves calls :meth:`FrozenTeacher.answer`, so that several heads
        cost one forward pass of the teacher.
        """

    @abstractmethod
    def loss(
        self, student: nn.Module, tape: Tape, answer: Any, temperature: float
    ) -> dict[str, Tensor]:
        """Unweighted distillation terms, scalars, by name; ``temperature`` is ``T(u)``."""

    def probe(self) -> Probe | None:
        """What a diagnosis may read, None where there is nothing."""
        return None
