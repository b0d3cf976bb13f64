"""Find the checkpoint that a run continues from, and check that it is the same run's."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from w2s_mm.utils.batch import total_batch
from w2s_mm.utils.checkpoint import load_checkpoint
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.mm import config_from_text, plain_types
from w2s_mm.utils.run_files import LAST_CHECKPOINT

from .batch import add_batch, processes_of
from .preflight import MAY_DIFFER, hook_config, refuse_another_config

# What decides a run's result. Other settings (logging, workers, where the data are) may change;
# WeakToStrongHook itself refuses another teacher or another schedule.
IDENTITY = (
    'model',
    'train_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'randomness',
)
# A run may be made longer when it is resumed, and its teacher may have been moved.
MAY_DIFFER_ON_RESUME = (*MAY_DIFFER, 'checkpoint', 'max_epochs', 'max_iters')


def check_resume(cfg: Config) -> int | None:
    """Check that a run is resumed with the config that it was started with.

    Sets ``load_from`` to the checkpoint that it continues from, or ``resume`` to False if the run
    was stopped before its first one.

    Returns:
        The seed that it was started with, None where the checkpoint has none.

    Raises:
        W2SError: There is nothing to resume from, or the checkpoint was written under other
            settings; the message names them.
    """
    found = checkpoint_to_resume(cfg)
    if found is None:  # stopped before its first checkpoint: it starts from the beginning
        cfg.resume = False
        return None
    cfg.load_from, checkpoint = found
    meta = checkpoint['meta']
    seed = meta.get('seed')
    if 'cfg' in meta:
        before = config_from_text(meta['cfg'])
        there, now = ({name: plain_types(c).get(name) for name in IDENTITY} for c in (before, cfg))
        for settings in (there, now):  # a seed that is not given is the one that was drawn
            settings['randomness'] = {'seed': seed, **_without_none(settings['randomness'])}
        # MMEngine takes the learning rate from the checkpoint, whatever the batch is now.
        batch = total_batch(cfg, processes_of(cfg))
        add_batch(there, now, checkpoint.get('run_record'), batch)
        refuse_another_config(cfg.load_from, there, now, MAY_DIFFER_ON_RESUME)
    return seed


def _without_none(settings: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (settings or {}).items() if value is not None}


def checkpoint_to_resume(cfg: Config) -> tuple[str, dict[str, Any]] | None:
    """The checkpoint to resume from: ``load_from``, or the last one that can be read.

    A power cut, or a kill where checkpoints are not written atomically, may leave one that is cut
    short, or a ``last_checkpoint`` that is empty. Then the one before it is used, and a message
    says so.

    Returns:
        Its path and its content; None if the run was stopped before its first checkpoint.

    Raises:
        W2SError: There is no work directory, or checkpoints but none that can be resumed from.
    """
    if cfg.get('load_from'):
        return cfg.load_from, _read(cfg.load_from)
    work_dir = Path(cfg.work_dir)
    if not work_dir.is_dir():
        raise W2SError(
            f'Nothing to resume: {work_dir} does not exist. Leave out --resume to start.'
        )
    last = _last(work_dir)
    candidates = ([] if last is None else [last]) + _saved_before(last, cfg)
    problems = [] if last else [f'{work_dir / LAST_CHECKPOINT} names no checkpoint.']
    for path in candidates:
        try:
            content = _read(path)
        except W2SError as error:
            problems.append(str(error))
            continue
        if problems and is_main_process():
            found = '\n  '.join(problems)
            print(f'warning: {found}\n  Resuming from {path} instead.', file=sys.stderr)
        return path, content
    if not candidates and not (work_dir / LAST_CHECKPOINT).is_file():
        return None
    found = '\n  '.join(problems)
    raise W2SError(
        f'{work_dir} has no checkpoint to resume from:\n  {found}\nNothing was changed. Restore '
        f'one, or start again: leave out --resume, or give another --work-dir.'
    )


def _last(work_dir: Path) -> str | None:
    """What ``last_checkpoint`` names, even if the work directory was moved."""
    written = work_dir / LAST_CHECKPOINT
    name = written.read_text(errors='replace').strip() if written.is_file() else ''
    if not name:
        return None
    moved = work_dir / Path(name).name
    return str(moved) if not Path(name).is_file() and moved.is_file() else name


def _saved_before(last: str | None, cfg: Config) -> list[str]:
    """The other regular checkpoints, newest first.

    Later ones than the last are of another run in the same directory, and ``best_*`` lack the state
    of the optimizer.
    """
    hook = hook_config(cfg, 'CheckpointHook') or {}
    folder, work_dir = Path(cfg.work_dir), Path(cfg.work_dir)
    if hook.get('out_dir'):
        folder = Path(hook['out_dir']) / work_dir.name
    template = hook.get('filename_tmpl') or (
        'epoch_{}.pth' if hook.get('by_epoch', True) else 'iter_{}.pth'
    )
    pattern = re.compile(re.escape(template).replace(r'\{\}', r'(\d+)'))
    found = {
        int(match[1]): str(path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := pattern.fullmatch(path.name))
    }
    named = pattern.fullmatch(Path(last).name) if last and Path(last).is_file() else None
    limit = int(named[1]) if named else float('inf')
    return [found[number] for number in sorted(found, reverse=True) if number < limit]


def _read(path: str) -> dict[str, Any]:
    # The user's own checkpoint, which MMEngine itself unpickles afterwards.
    checkpoint = load_checkpoint(
        path, weights_only=False, absent='Give --resume an existing checkpoint.', mmap=True
    )
    for key in ('meta', 'optimizer'):
        if key not in checkpoint:
            raise W2SError(
                f'Checkpoint {path} has no {key}, so a run cannot continue from it (MMEngine saves '
                f'best_*.pth without it). Resume from a regular one, such as iter_100.pth, or '
                f'start a new run from these weights with --cfg-options load_from={path}.'
            )
    return checkpoint
