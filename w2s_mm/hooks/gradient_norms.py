"""How strongly the two terms of the loss pull, and whether in the same direction."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor

from w2s_mm.core.student import DISTILL_PREFIX
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json
from w2s_mm.utils.mm import is_resuming, unwrapped
from w2s_mm.utils.run_files import FORMATS, GRADIENT_NORMS


@HOOKS.register_module()
class GradientNormHook(Hook):
    """Norms of the gradients of both terms of the loss (arXiv 2604.15451, Figure 5b).

    Every ``interval`` iterations: the norm of the gradient of ``L_base``, that of
    ``gamma * lambda(u) * L_distill``, and the cosine of the angle between them (0 while there is no
    distillation). They go to the log and every visualization backend as ``grad_norm_base``,
    ``grad_norm_distill`` and ``grad_cosine``, and into ``gradient_norms.json``.

    The training is bit by bit the one without this hook: the two gradients are taken from the graph
    of the iteration's own forward pass, before its own backward pass. That costs two more
    backward passes while distilling and one afterwards, and the memory of two more
    gradients, in each measured iteration; the seconds it took are in the file. A run
    without the hook pays nothing. The clocks of a run with it include it: take them from another.

    With several processes the gradients are averaged over them, as the optimizer sees them. With
    gradient accumulation they are those of one batch. Reentrant activation checkpointing
    (``with_cp`` of some backbones) does not allow it.

    Args:
        interval: Iterations from one measurement to the next, at least 1.

    Raises:
        W2SError: ``interval`` is below 1; or, in training, the model's forward gives no losses.
    """

    priority = 'LOW'  # after the hook that sets lambda, before the logger

    def __init__(self, interval: int = 10) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise W2SError(
                f'interval of GradientNormHook is {interval!r}; expected an integer of at least 1. '
                f'To switch it off, leave the hook out.'
            )
        self.interval = interval
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self._handle: Any = None
        self._measured: dict[str, float] | None = None

    def before_train(self, runner: Any) -> None:
        """Go on with the file of a resumed run."""
        path = Path(runner.work_dir) / GRADIENT_NORMS
        if is_resuming(runner) and path.is_file():
            kept = json.loads(path.read_text())
            self.history = [entry for entry in kept['history'] if entry['iter'] <= runner.iter]
            self.seconds = kept['seconds']

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """In an iteration that is measured, wait for the model's losses."""
        if runner.iter % self.interval:
            return
        model = unwrapped(runner.model)
        scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
        scale = float(scaler.get_scale()) if scaler is not None else 1.0

        def measure(_: Any, __: Any, losses: Any) -> None:
            if isinstance(losses, dict):
                start = time.perf_counter()
                self._measured = gradient_norms(model, losses, scale)
                self.seconds += time.perf_counter() - start

        self._measured = None
        self._handle = model.register_forward_hook(measure)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Log what was measured."""
        if self._handle is None:
            return
        self._handle.remove()
        self._handle = None
        if self._measured is None:
            raise W2SError(
                f'GradientNormHook found no losses: the forward pass of '
                f'{type(runner.model).__name__} gives no dict of them in training. Leave the hook '
                f'out.'
            )
        for name, value in self._measured.items():
            runner.message_hub.update_scalar(f'train/{name}', value)
        # JSON knows no infinity, which a gradient under float16 may well be.
        told = {k: v if math.isfinite(v) else None for k, v in self._measured.items()}
        self.history.append({'iter': runner.iter + 1, **told})  # type: ignore[dict-item]
        if is_main_process():
            write_json(
                Path(runner.work_dir) / GRADIENT_NORMS,
                {
                    'format': FORMATS[GRADIENT_NORMS],
                    'interval': self.interval,
                    'seconds': self.seconds,
                    'history': self.history,
                },
            )


def gradient_norms(model: Any, losses: dict[str, Any], scale: float = 1.0) -> dict[str, float]:
    """Norms of the gradients of the base and the distillation terms, and their cosine.

    The graph stays whole, ``.grad`` is not touched, and no random number is drawn.

    Args:
        model: An MMEngine model, whose ``parse_losses`` says what counts as a loss.
        losses: What its forward pass gave, in the mode ``'loss'``.
        scale: Factor on the losses while gradients are taken, as float16 needs; taken out again.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    vectors = []
    for distill in (False, True):
        terms = {k: v for k, v in losses.items() if k.startswith(DISTILL_PREFIX) == distill}
        total = model.parse_losses(terms)[0] if terms else 0
        vectors.append(_gradient(total, parameters, scale))
    base, ours = vectors
    norms = base.norm(), ours.norm()
    product = norms[0] * norms[1]
    cosine = (base @ ours / product).where(product > 0, 0.0)
    return {
        'grad_norm_base': float(norms[0]),
        'grad_norm_distill': float(norms[1]),
        'grad_cosine': float(cosine),
    }


def _gradient(total: Any, parameters: list[Tensor], scale: float) -> Tensor:
    """The gradient as one vector in float32, averaged over the processes."""
    if not (isinstance(total, Tensor) and total.requires_grad):
        vector = torch.zeros(sum(p.numel() for p in parameters), device=parameters[0].device)
    else:
        with torch.autocast(total.device.type, enabled=False):
            parts = torch.autograd.grad(
                scale * total, parameters, retain_graph=True, allow_unused=True
            )
        vector = torch.cat(
            [
                (torch.zeros_like(p) if part is None else part).flatten().float()
                for p, part in zip(parameters, parts, strict=True)
            ]
        ).div_(scale)
    if get_world_size() > 1:
        all_reduce(vector, 'mean')
    return vector
