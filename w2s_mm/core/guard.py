"""Drops what a teacher answers with NaN or infinity, without waiting for the device."""

from __future__ import annotations

import logging
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.logging import print_log
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from w2s_mm.utils.errors import W2SError

MAX_DROPPED = 3  # answers in a row that may be NaN or infinite

# In place of every number of an answer that is dropped. Any finite number would do for what
# follows, since all it gives is multiplied by 0; this one, as a logit, also leaves no prior or RoI
# confident, so that a loss over the confident ones is not suddenly one over all.
SILENCE = -30.0


class Guard:
    """Keeps a teacher's NaN and infinity out of the student.

    In an iteration whose answer is not finite the distillation terms are 0 and so are their
    gradients: what is left is the plain model's loss. All ranks agree on it, so they drop together
    and, after :data:`MAX_DROPPED` such answers in a row, raise together.

    Nothing branches on the device's verdict when it is found, as that would make every iteration
    wait for the device: :meth:`check_last` of the next iteration reads it, when the loop has long
    waited for the losses anyway. So the warning comes one iteration late.

    Args:
        checkpoint: Where the teacher's weights are from, for the message.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        self._finite: Tensor | None = None  # the verdict on the last answer, not yet read
        self._dropped = 0  # answers in a row

    def check_last(self) -> None:
        """Warn of a last answer that was dropped.

        Raises:
            W2SError: :data:`MAX_DROPPED` answers in a row were dropped.
        """
        finite, self._finite = self._finite, None
        if finite is None:
            return
        self._dropped = 0 if finite else self._dropped + 1
        if self._dropped >= MAX_DROPPED:
            raise W2SError(
                f'The teacher answered with NaN or infinity {self._dropped} times in a row. '
                f'Evaluate it alone (w2s test with its own config and {self.checkpoint}): its '
                f'weights may be broken. If they are not, and this run uses --amp, its activations '
                f'may be too large for float16: type --cfg-options optim_wrapper.dtype=bfloat16.'
            )
        if self._dropped:
            print_log(
                f'The teacher answered the last batch with NaN or infinity: its distillation term '
                f'was dropped ({self._dropped} in a row; {MAX_DROPPED} are an error).',
                logger='current',
                level=logging.WARNING,
            )

    def admit(self, answer: Any, device: torch.device) -> Any:
        """The answer, or :data:`SILENCE` for each of its numbers where any is not finite.

        Args:
            answer: Tensors, in any nesting of tuples, lists and dicts.
            device: Where the verdict is kept.
        """
        self._finite = finite = all_finite(answer, device)
        return tree_map(
            lambda leaf: leaf.where(finite, SILENCE) if _is_number(leaf) else leaf, answer
        )

    def masked(self, term: Tensor) -> Tensor:
        """A distillation term, 0 where the answer that it was computed from was dropped."""
        assert self._finite is not None
        return term.where(self._finite, 0.0)


def all_finite(answer: Any, device: torch.device) -> Tensor:
    """Whether no tensor in ``answer`` holds NaN or infinity, on any rank: a bool on ``device``.

    Args:
        answer: Tensors, in any nesting of tuples, lists and dicts.
        device: Where the result is kept; nothing waits for it.
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
