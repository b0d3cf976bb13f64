"""Class scores of dense heads: which maps of a head hold them, and how they become logits."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch
from mmdet.models.dense_heads import TOODHead, YOLOXHead
from torch import Tensor

from w2s_mm.losses import bernoulli_entropy, bernoulli_kl, softmax_kl
from w2s_mm.utils.precision import full_precision

from .places import Levels

# Nearer to 0 or 1, a probability in float32 says little about its logit.
_EPS = 1e-6


class ScoreCode:
    """Class scores of one dense head: raw rows -> logits.

    This class handles sigmoid logits, the output of most heads. Other heads have subclasses;
    :func:`score_code` chooses one.

    Args:
        head: The dense head.
    """

    def __init__(self, head: Any) -> None:
        self.channels: int = head.cls_out_channels  # per raw row

    def maps(self, output: Any) -> Levels:
        """The raw class scores in the head's output, L maps of shape (N, A*channels, H, W)."""
        return output[0]

    def best(self, maps: Levels) -> Levels:
        """Logits of the best class of every prior, L maps of shape (N, A, H, W).

        The maximum is taken in the layout of the maps, so that only 1 / C of the numbers is moved.
        """
        return [self._best(m.unflatten(1, (-1, self.channels))) for m in maps]

    def logits(self, rows: Tensor) -> Tensor:
        """Raw rows (R, channels) as logits (R, C); a softmax has the background as its last."""
        return rows

    def entropy(self, logits: Tensor) -> Tensor:
        """Entropy of each prediction in nats, (R, C) to (R,)."""
        return bernoulli_entropy(logits)

    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        """KL(student || teacher) of each prediction in nats, (R, C) to (R,)."""
        return bernoulli_kl(student, teacher)

    def _best(self, scores: Tensor) -> Tensor:
        """(N, A, channels, H, W) to (N, A, H, W)."""
        return full_precision(scores.amax(2))


class SoftmaxScores(ScoreCode):
    """Softmax over the classes and the background, which is the last (SSD, YOLACT)."""

    def entropy(self, logits: Tensor) -> Tensor:
        """Entropy over classes and background."""
        return torch.special.entr(full_precision(logits).softmax(-1)).sum(-1)

    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        """KL over classes and background."""
        return softmax_kl(student, teacher, reverse=True)

    def _best(self, scores: Tensor) -> Tensor:
        return torch.logit(full_precision(scores).softmax(2)[:, :, :-1].amax(2), _EPS)


class ProbabilityScores(ScoreCode):
    """TOOD (arXiv 2108.07755): class probabilities, the geometric mean of two sigmoids."""

    def logits(self, rows: Tensor) -> Tensor:
        """The logits of the probabilities."""
        return torch.logit(full_precision(rows), _EPS)

    def _best(self, scores: Tensor) -> Tensor:
        return self.logits(scores.amax(2))


class ObjectnessScores(ScoreCode):
    """YOLOX (arXiv 2107.08430): class logits and an objectness, of which the products count.

    The two are compared as one score per class, with which the detector also ranks its boxes.
    """

    def __init__(self, head: Any) -> None:
        super().__init__(head)
        self.channels += 1  # the objectness

    def maps(self, output: Any) -> Levels:
        """Class logits and, as the last channel, the objectness."""
        return [torch.cat(pair, dim=1) for pair in zip(output[0], output[2], strict=True)]

    def logits(self, rows: Tensor) -> Tensor:
        """The logits of the products."""
        return _product(rows[:, :-1], rows[:, -1:])

    def _best(self, scores: Tensor) -> Tensor:
        return _product(scores[:, :, :-1].amax(2), scores[:, :, -1])


def _product(a: Tensor, b: Tensor) -> Tensor:
    r"""Logit of :math:`\sigma(a) \sigma(b)`, that is :math:`a + b - \log(1 + e^a + e^b)`."""
    a, b = full_precision(a), full_precision(b)
    return a + b - torch.logaddexp(torch.logaddexp(a, b), torch.zeros_like(a))


@singledispatch
def score_code(head: Any) -> ScoreCode:
    """Class scores of a dense head, chosen by the head's class.

    To support a head of your own whose scores are neither sigmoid logits nor softmax logits,
    register a function, as with :func:`~w2s_mm.detection.box_codes.box_code`.
    """
    return ScoreCode(head) if head.use_sigmoid_cls else SoftmaxScores(head)


@score_code.register
def _(head: TOODHead) -> ScoreCode:
    return ProbabilityScores(head)


@score_code.register
def _(head: YOLOXHead) -> ScoreCode:
    return ObjectnessScores(head)
