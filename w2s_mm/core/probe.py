"""What a diagnosis may read of a distill head."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from w2s_mm.utils.precision import full_precision

from .tape import Call, Tape


class Probe(Protocol):
    """Reads recorded calls of a student or a teacher; :meth:`DistillHead.probe` gives it.

    A head without a probe distills as any other, and cannot be diagnosed.
    """

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """Names of the submodules of ``model`` whose calls the other methods read."""

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Entropy of a model's recorded answers, in nats, one number for each, shape (R,).

        Of those answers that would take part in the loss; none where an answer has no entropy.
        """

    def divergence(self, student: nn.Module, tape: Tape, answer: Any) -> Tensor:
        """KL(student || teacher) at T = 1 in nats, one number for each answer, shape (R,).

        Over the same answers that the loss compares, whatever form that takes there.
        """

    def features(self, model: nn.Module, tape: Tape) -> Tensor:
        """One row of features for each image, shape (N, K)."""


def pooled(call: Call) -> Tensor:
    """The last map that a module gave, pooled over positions: shape (N, K)."""
    last = call.output[-1] if isinstance(call.output, (tuple, list)) else call.output
    return full_precision(last).flatten(2).mean(-1) if last.dim() > 2 else full_precision(last)
