"""Make a resumed run equal to an uninterrupted one."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from w2s_mm.utils.mm import is_epoch_based, is_resuming, validation_due
from w2s_mm.utils.rng import rng_state, set_rng_state


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Saves the random state, and on resume runs a validation missing from the checkpoint.

    MMEngine saves a checkpoint before the validation of the same epoch, and never runs that
    validation after a resume, so the metric is lost. It also does not restore the random state.
    With this hook a resumed run draws the same random numbers and reports the same metrics, as long
    as augmentation runs in the main process (``num_workers=0``) or in workers that restart every
    epoch. As in MMEngine, persistent workers restart their random streams, and with several
    processes each rank restarts from its seed.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._validated_iter: int | None = None
        self._restored: dict[str, Any] | None = None
        self._borrowed = False  # whether the training loader has our temporary generator

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save the random state and the iteration of the last validation."""
        checkpoint['exact_resume'] = {'rng': rng_state(), 'validated_iter': self._validated_iter}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Read the state from a resumed checkpoint; ``load_from`` is ignored."""
        if is_resuming(runner):
            self._restored = checkpoint.get('exact_resume', {})

    def before_train_epoch(self, runner: Any) -> None:
        """After a resume, restore the random state and run a missing validation."""
        if self._restored is None:
            return
        rng = self._restored.get('rng')
        if rng is not None and get_world_size() == 1:
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
