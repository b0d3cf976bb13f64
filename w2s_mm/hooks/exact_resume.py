"""Make a resumed run equal to an uninterrupted one."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import (
    all_gather_object,
    all_reduce_params,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.hooks import CheckpointHook, Hook
from mmengine.registry import HOOKS

import w2s_mm.utils.local_backend  # noqa: F401  (checkpoints are written atomically)
from w2s_mm.utils.files import write_bytes
from w2s_mm.utils.mm import (
    before_saving,
    is_epoch_based,
    is_resuming,
    resumed_from,
    validation_due,
)
from w2s_mm.utils.rng import rng_state, set_rng_state
from w2s_mm.utils.run_files import LAST_CHECKPOINT


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Saves the random state, and on resume runs a validation missing from the checkpoint.

    MMEngine saves a checkpoint before the validation of the same epoch, and never runs that
    validation after a resume, so the metric is lost. It also does not restore the random state.
    With this hook a resumed run draws the same random numbers and reports the same metrics, as long
    as augmentation runs in the main process (``num_workers=0``) or in workers that restart every
    epoch. Persistent workers, and those of an iteration-based run, restart their random streams, as
    in MMEngine; a line at the start of the run says so. Each rank restarts from its seed if the
    number of processes has changed.

    Checkpoints on a local disk are written atomically, and the last one is kept until the next one
    is complete.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._validated_iter: int | None = None
        self._restored: dict[str, Any] | None = None
        self._borrowed = False  # whether the training loader has our temporary generator
        self._single: list[CheckpointHook] = []  # those that keep one checkpoint
        self._rng_of_ranks: list[dict[str, Any]] = []  # with several processes

    def before_train(self, runner: Any) -> None:
        """Tell CheckpointHook the last checkpoint, and keep it until the next one is complete.

        After a resume MMEngine does not know it, and would not save it again if the missing
        validation is a new best. With ``max_keep_ckpts=1`` MMEngine removes the only checkpoint
        before it writes the next, so that a run killed in between could not be resumed.
        """
        self._say_what_is_not_exact(runner)
        for hook in runner.hooks:
            if not isinstance(hook, CheckpointHook):
                continue
            last = resumed_from(runner)
            if last and Path(last).resolve().parent == Path(hook.out_dir).resolve():
                hook.last_ckpt = last
                if is_main_process():
                    write_bytes(Path(runner.work_dir) / LAST_CHECKPOINT, last.encode())
            if hook.max_keep_ckpts == 1:
                hook.max_keep_ckpts = 2
                hook.keep_ckpt_ids = deque(hook.keep_ckpt_ids, 2)
                self._single.append(hook)
            if get_world_size() > 1:
                before_saving(hook, lambda: self._gather(runner))

    def _gather(self, runner: Any) -> None:
        """Collect what only the main process would save otherwise.

        The statistics of batch norm are those of each process until they are averaged for a
        validation, after the checkpoint has been saved.
        """
        averages = (getattr(hook, 'ema_model', None) for hook in runner.hooks)
        for model in (runner.model, *averages):
            if model is not None:
                all_reduce_params(model.buffers(), op='mean')
        self._rng_of_ranks = all_gather_object(rng_state())

    def _say_what_is_not_exact(self, runner: Any) -> None:
        """Workers that live longer than an epoch lose their random numbers when a run stops.

        An iteration-based loop on a sampler that cannot skip loads what was seen again instead.
        """
        loader = runner.train_dataloader
        by_epoch = is_epoch_based(runner)
        lasting = loader.persistent_workers if by_epoch else hasattr(loader.sampler, 'skip')
        if loader.num_workers and lasting:
            runner.logger.warning(
                f'If this run is resumed, it will not be exact: the random augmentation of '
                f'{loader.num_workers} worker process(es) starts again from the seed. For an exact '
                f'resume set train_dataloader.num_workers=0 and '
                f'train_dataloader.persistent_workers=False'
                + (' (or the latter alone).' if by_epoch else '.')
            )

    def _remove_spare(self) -> None:
        for hook in self._single:
            if len(hook.keep_ckpt_ids) == 2:
                name = hook.filename_tmpl.format(hook.keep_ckpt_ids.popleft())
                path = hook.file_backend.join_path(hook.out_dir, name)
                if is_main_process() and hook.file_backend.isfile(path):
                    hook.file_backend.remove(path)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save the random state and the iteration of the last validation."""
        checkpoint['exact_resume'] = {
            'rng': rng_state(),
            'rng_of_ranks': self._rng_of_ranks,
            'validated_iter': self._validated_iter,
        }

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Read the state from a resumed checkpoint; ``load_from`` is ignored."""
        if is_resuming(runner):
            self._restored = checkpoint.get('exact_resume', {})

    def before_train_epoch(self, runner: Any) -> None:
        """After a resume, restore the random state and run a missing validation."""
        if self._restored is None:
            return
        rng = self._restored.get('rng')
        if get_world_size() > 1:
            of_ranks = self._restored.get('rng_of_ranks') or []
            rng = of_ranks[get_rank()] if len(of_ranks) == get_world_size() else None
        if rng is not None:
            set_rng_state(rng)
        self._validate_if_missed(runner)
        loader = runner.train_dataloader
        if rng is not None and not is_epoch_based(runner) and loader.generator is None:
            # This loop now creates its iterator, which draws a random number. The uninterrupted run
            # draws none here, so use a separate generator.
            loader.generator = torch.Generator()
            self._borrowed = True

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Remove the temporary generator, now that the iterator exists."""
        if self._borrowed:
            runner.train_dataloader.generator = None
            self._borrowed = False

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Remove the checkpoint before the last one, if only one is kept."""
        self._remove_spare()

    def after_train_epoch(self, runner: Any) -> None:
        """Remove the checkpoint before the last one, if only one is kept."""
        self._remove_spare()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Likewise: CheckpointHook has saved a new best, and the regular one with it."""
        self._remove_spare()

    def before_val_epoch(self, runner: Any) -> None:
        """Record that this iteration is validated.

        Not after the validation: on a new best, CheckpointHook saves before this hook is called,
        when all hooks that use the metric have been. Nothing saves in between.
        """
        self._validated_iter = runner.iter

    def after_train(self, runner: Any) -> None:
        """Run a missing validation if the checkpoint was of the last iteration."""
        self._validate_if_missed(runner)

    def _validate_if_missed(self, runner: Any) -> None:
        if self._restored is None:
            return
        validated = self._restored.get('validated_iter')
        self._restored = None
        if runner.val_loop is None or validated == runner.iter or not validation_due(runner):
            return
        runner.logger.info(f'Running the missing validation after iteration {runner.iter}.')
        runner.val_loop.run()
