"""Gradient norms of the base and distillation terms, and the angle between the gradients."""

from __future__ import annotations

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
from w2s_mm.utils import checks
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import append_json_line, write_json_lines
from w2s_mm.utils.mm import is_resuming, unwrapped
from w2s_mm.utils.run_files import FORMATS, GRADIENT_NORMS, OLD_GRADIENT_NORMS, read_run_file


@HOOKS.register_module()
class GradientNormHook(Hook):
    """Logs the gradient norms of both loss terms (arXiv 2604.15451, Figure 5b).

    Every ``interval`` iterations it measures the gradient norm of ``L_base``, that of
    ``gamma * lambda(u) * L_distill``, and the cosine between the two gradients (0 without
    distillation). They are logged as ``grad_norm_base``, ``grad_norm_distill`` and ``grad_cosine``,
    and appended to ``gradient_norms.jsonl``.

    The results of the run are bitwise unchanged: both gradients are computed on the graph of the
    iteration's own forward pass, before its own backward pass. Each measured iteration costs two
    more backward passes (one after distillation has ended) and the memory of two gradients. The
    file has the seconds each took. They also count in the run's measured times, so measure speed in
    a run without this hook.

    With several processes the gradients are averaged over them, as for the optimizer. With gradient
    accumulation they are those of one batch. Reentrant activation checkpointing (``with_cp`` in
    some backbones) is not supported.

    Args:
        interval: Iterations between measurements, at least 1.

    Raises:
        W2SError: ``interval`` is below 1, or the model's forward pass returns no losses.
    """

    priority = 'LOW'  # after the hook that sets lambda, before the logger

    def __init__(self, interval: int = 10) -> None:
        checks.whole_number(
            'interval of GradientNormHook', interval, hint='To switch it off, remove the hook.'
        )
        self.interval = interval
        self._handle: Any = None
        self._measured: tuple[dict[str, float], float] | None = None  # with its seconds

    def before_train(self, runner: Any) -> None:
        """Start the file; on resume, keep what was measured up to the checkpoint."""
        if not is_main_process():
            return
        paths = [Path(runner.work_dir) / name for name in (GRADIENT_NORMS, OLD_GRADIENT_NORMS)]
        there = [path for path in paths if is_resuming(runner) and path.is_file()]
        history = read_run_file(there[0])['history'] if there else []
        header = {'format': FORMATS[GRADIENT_NORMS], 'interval': self.interval}
        write_json_lines(paths[0], [header, *(x for x in history if x['iter'] <= runner.iter)])

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """In a measured iteration, register a forward hook that receives the losses."""
        if runner.iter % self.interval:
            return
        model = unwrapped(runner.model)
        scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
        scale = float(scaler.get_scale()) if scaler is not None else 1.0

        def measure(_: Any, __: Any, losses: Any) -> None:
            if isinstance(losses, dict):
                start = time.perf_counter()
                measured = gradient_norms(model, losses, scale)
                self._measured = measured, time.perf_counter() - start

        self._measured = None
        self._handle = model.register_forward_hook(measure)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Log and save the measurement."""
        if self._handle is None:
            return
        self._handle.remove()
        self._handle = None
        if self._measured is None:
            raise W2SError(
                f'GradientNormHook found no losses: the forward pass of '
                f'{type(runner.model).__name__} returns no dict of losses during training, or is '
                f'compiled. Remove the hook, or compile.'
            )
        measured, seconds = self._measured
        for name, value in measured.items():
            runner.message_hub.update_scalar(f'train/{name}', value)
        if is_main_process():
            # JSON has no infinity, which occurs with float16.
            finite = {k: v if math.isfinite(v) else None for k, v in measured.items()}
            append_json_line(
                Path(runner.work_dir) / GRADIENT_NORMS,
                {'iter': runner.iter + 1, **finite, 'seconds': round(seconds, 6)},
            )


def gradient_norms(model: Any, losses: dict[str, Any], scale: float = 1.0) -> dict[str, float]:
    """Norms of the gradients of the base and the distillation terms, and their cosine.

    Keeps the graph, does not touch ``.grad``, and draws no random numbers.

    Args:
        model: An MMEngine model. Its ``parse_losses`` decides what counts as a loss.
        losses: Output of its forward pass in mode ``'loss'``.
        scale: Loss scale for the backward pass, as float16 needs; the gradients are unscaled.
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
    """The gradient as one float32 vector, averaged over the processes."""
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
