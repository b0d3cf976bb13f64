"""Make a resumed run the uninterrupted one."""

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
    """Saves the random state, and on resume runs the validation that the checkpoint missed.

    MMEngine saves a checkpoint before the validation of the same epoch, and a resume never repeats
    that validation: whatever watches the metric would lose it. And it does not restore the random
    state. With this hook a resumed run draws the same numbers and sees the same metrics, as long
    as augmentation runs in the main process (``num_workers=0``) or in workers that are started
    anew each epoch. Persistent workers restart their own stream, and with several processes each
    rank starts from its seed; both as in MMEngine.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._validated_iter: int | None = None
        self._restored: dict[str, Any] | None = None
        self._borrowed = False  # the training loader draws from a generator of ours

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the random state and the last validation into the checkpoint."""
        checkpoint['exact_resume'] = {'rng': rng_state(), 'validated_iter': self._validated_iter}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep what a resumed checkpoint holds; starting weights (``load_from``) say nothing."""
        if is_resuming(runner):
            self._restored = checkpoint.get('exact_resume', {})

    def before_train_epoch(self, runner: Any) -> None:
        """First epoch after a resume: restore, and catch up on the validation."""
        if self._restored is None:
            return
        rng = self._restored.get('rng')
        if rng is not None and get_world_size() == 1:
            set_rng_state(rng)
        self._validate_if_missed(runner)
        loader = runner.train_dataloader
        if rng is not None and not is_epoch_based(runner) and loader.generator is None:
            # This loop is about to create its iterator anew, which draws a number that the
            # uninterrupted run does not draw here: let it come from elsewhere.
            loader.generator = torch.Generator()
            self._borrowed = True

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """The iterator is there: from here on the loader is the user's again."""
        if self._borrowed:
            runner.train_dataloader.generator = None
            self._borrowed = False

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Remember that this iteration has been validated."""
        self._validated_iter = runner.iter

    def after_train(self, runner: Any) -> None:
        """A run stopped between its last checkpoint and its last validation ends here."""
        self._validate_if_missed(runner)

    def _validate_if_missed(self, runner: Any) -> None:
        if self._restored is None:
            return
        validated = self._restored.get('validated_iter')
        self._restored = None
        if runner.val_loop is None or validated == runner.iter or not validation_due(runner):
            return
        runner.logger.info(f'Catching up on the validation after iteration {runner.iter}.')
        runner.val_loop.run()
