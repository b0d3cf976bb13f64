"""What a diagnosis reads from a classifier."""

from __future__ import annotations

from torch import Tensor, nn
from torch.special import entr

from w2s_mm.core.tape import Tape
from w2s_mm.losses import bernoulli_entropy, bernoulli_kl, softmax_kl
from w2s_mm.utils.precision import full_precision

from .outputs import activation_of, feature_tap, logit_tap


class LogitProbe:
    """Entropy, divergence and features of a classifier; see :class:`~w2s_mm.core.probe.Probe`."""

    def taps(self, model: nn.Module) -> tuple[str, ...]:
        """The module that outputs the logits, and the last linear layer."""
        return logit_tap(model), feature_tap(model)

    def entropy(self, model: nn.Module, tape: Tape) -> Tensor:
        """Entropy of the class probabilities of each image, shape (N,)."""
        output = tape.last(logit_tap(model)).output
        logits = getattr(output, 'logits', output)  # Hugging Face wraps them
        if activation_of(model) == 'sigmoid':
            return bernoulli_entropy(logits)
        return entr(full_precision(logits).softmax(-1)).sum(-1)

    def divergence(self, student: nn.Module, tape: Tape, answer: Tensor) -> Tensor:
        """KL of the class probabilities of each image, shape (N,)."""
        logits = tape.last('head').output
        if activation_of(student) == 'sigmoid':
            return bernoulli_kl(logits, answer)
        return softmax_kl(logits, answer, reverse=True)

    def features(self, model: nn.Module, tape: Tape) -> Tensor:
        """Input of the last linear layer, shape (N, K)."""
        return full_precision(tape.last(feature_tap(model)).args[0])
