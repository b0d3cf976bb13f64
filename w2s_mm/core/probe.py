"""What ``w2s diagnose`` reads from a distill head."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from w2s_mm.utils.precision import full_precision

from .tape import Call, Tape


class Probe(Protocol):
    """Reads recorded calls of a student or teacher. Returned by :meth:`DistillHead.probe`.

    A head without a probe distills as usual but cannot be diagnosed.
    """

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """Names of the submodules whose calls the other methods read."""

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Entropy of each recorded prediction in nats, shape (R,).

        Covers the predictions the loss would use. Empty if they have no entropy.
        """

    def divergence(self, student: nn.Module, tape: Tape, answer: Any) -> Tensor:
        """KL(student || teacher) of each prediction at T = 1 in nats, shape (R,).

        Covers the predictions the loss compares, whatever form the loss has.
        """

    def features(self, model: nn.Module, tape: Tape) -> Tensor:
        """Feature vector of each image, shape (N, K)."""


def pooled(call: Call) -> Tensor:
    """The last feature map of a call, averaged over positions, shape (N, K)."""
    last = call.output[-1] if isinstance(call.output, (tuple, list)) else call.output
    return full_precision(last).flatten(2).mean(-1) if last.dim() > 2 else full_precision(last)
