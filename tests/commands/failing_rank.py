"""Imported by a run's config: lets one of its processes fail, as FAIL=rank:where:how says."""

import os
import shutil
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

import tests.hooks.toy  # noqa: F401  (registers the toy)
from w2s_mm.utils.errors import W2SError


def fail(where: str) -> None:
    """End this process if it is to fail here."""
    rank, place, how = (os.environ.get('FAIL') or '-:-:-').split(':')
    if os.environ.get('RANK') != rank or where != place:
        return
    if how == 'kill':
        os.kill(os.getpid(), signal.SIGKILL)
    raise (W2SError if how == 'refuse' else RuntimeError)(f'process {rank} failed at {where}')


@HOOKS.register_module(force=True)
class FailHook(Hook):
    """Fails at the start of an iteration or in a validation."""

    priority = 'HIGHEST'

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        fail(str(runner.iter))

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        fail(f'val{runner.iter}')


disk_usage = shutil.disk_usage


def checked_disk_usage(path):
    """The question of a check before training, which fails in one process."""
    fail('preflight')
    return disk_usage(path)


shutil.disk_usage = checked_disk_usage
