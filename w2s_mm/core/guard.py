"""Drops teacher outputs with NaN or infinity, without synchronising with the device."""

from __future__ import annotations

import logging
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.logging import print_log
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from w2s_mm.utils.errors import W2SError

MAX_DROPPED = 3  # dropped answers at which the run is stopped, if there was no other

# Replaces every number of a dropped answer. Any finite value would do, since the resulting terms
# are set to 0. As a sigmoid logit, this one puts every prior below the score threshold, so the loss
# does not suddenly cover all of them.
REPLACEMENT = -30.0


class Guard:
    """Keeps NaN and infinity in teacher outputs away from the student.

    If an answer is not finite, the distillation terms and their gradients are 0 in that iteration,
    and only the plain model's loss remains. All ranks share the result, so they drop the same
    answers. If the first :data:`MAX_DROPPED` answers are all dropped, the teacher is broken, and
    all ranks raise together.

    The result is not read in the iteration that computes it, since that would synchronise with the
    device. :meth:`check_last` reads it in the next iteration, after the training loop has
    synchronised anyway. The warning therefore appears one iteration late.

    Args:
        checkpoint: Source of the teacher's weights, for the message.

    Attributes:
        answers: Number of the teacher's answers, without the last if it has not been checked.
        dropped: Number of those that were not finite.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        self.answers = 0
        self.dropped = 0
        self._finite: Tensor | None = None  # whether the last answer was finite, not yet read

    def state_dict(self) -> dict[str, int]:
        """The two counts, with the last answer."""
        self.check_last()
        return {'answers': self.answers, 'dropped': self.dropped}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Restore the counts."""
        self.answers, self.dropped = state['answers'], state['dropped']

    def check_last(self) -> None:
        """Count the last answer; warn if it is the first that was dropped.

        Raises:
            W2SError: :data:`MAX_DROPPED` answers were dropped, and none was finite.
        """
        finite, self._finite = self._finite, None
        if finite is None:
            return
        self.answers += 1
        if finite:
            return
        self.dropped += 1
        if self.dropped == self.answers == MAX_DROPPED:
            raise W2SError(
                f"The teacher's first {MAX_DROPPED} answers all had NaN or infinity. Its weights "
                f'may be broken: evaluate it with w2s test, its own config and {self.checkpoint}. '
                f'If the weights are fine and this run uses --amp, its activations may be too '
                f'large for float16: add --cfg-options optim_wrapper.dtype=bfloat16.'
            )
        if self.dropped == 1:
            print_log(
                'The teacher returned NaN or infinity for the last batch: its distillation term '
                'was dropped, and so is that of every other such batch, without another warning. '
                'weak_to_strong.json counts them.',
                logger='current',
                level=logging.WARNING,
            )

    def admit(self, answer: Any, device: torch.device) -> Any:
        """The answer; if any number is not finite, all are replaced with :data:`REPLACEMENT`.

        Args:
            answer: Tensors, in any nesting of tuples, lists and dicts.
            device: Device of the result if the answer holds no numbers.
        """
        self._finite = finite = all_finite(answer, device)
        return tree_map(
            lambda leaf: leaf.where(finite, REPLACEMENT) if _is_number(leaf) else leaf, answer
        )

    def masked(self, term: Tensor) -> Tensor:
        """The distillation term, or 0 if the answer behind it was dropped."""
        assert self._finite is not None
        return term.where(self._finite, 0.0)


def all_finite(answer: Any, device: torch.device) -> Tensor:
    """Whether all tensors in ``answer`` are finite on all ranks, as a bool tensor.

    Args:
        answer: Tensors, in any nesting of tuples, lists and dicts.
        device: Device of the result if the answer holds no numbers.
    """
    parts = [torch.isfinite(leaf).all() for leaf in tree_leaves(answer) if _is_number(leaf)]
    finite = torch.stack(parts).all() if parts else torch.tensor(True, device=device)
    if get_world_size() > 1:
        agreed = finite.float()
        all_reduce(agreed, 'min')
        finite = agreed > 0
    return finite


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()
