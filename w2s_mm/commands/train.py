"""``w2s train``: train a model."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from w2s_mm.utils.errors import W2SError

from .cli import add_auto_scale_lr, all_options, config_parser, read_config, run_command

# A full disk, a quota, a limit on the size of files, and a disk that has become read-only.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def configure(argv: Sequence[str] | None = None) -> Any:
    """Read the command line and its config, and check both.

    Raises:
        W2SError: Something is missing or does not fit; nothing has been written yet.
    """
    from mmengine.device import get_device

    from w2s_mm.utils.sharding import check_whole

    from .batch import check_batch, processes_of
    from .budget import shorten
    from .preflight import check_data, check_work_dir, hook_config
    from .resume import check_resume

    parser = config_parser('train', 'Train a model.')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    add_auto_scale_lr(parser)
    parser.add_argument(
        '--budget',
        type=float,
        default=1.0,
        metavar='PART',
        help='train for this part of the length, with the learning-rate schedule compressed to it',
    )
    parser.add_argument('--seed', type=int, help='random seed; by default drawn, and logged')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from this checkpoint; by default from the last one in the work directory',
    )
    args = parser.parse_args(argv)
    args.cfg_options = all_options(args)
    cfg = read_config(args)
    if args.seed is not None:
        cfg.merge_from_dict({'randomness.seed': args.seed})
    shorten(cfg, args.budget)
    if args.amp:
        if get_device() == 'cpu':
            raise W2SError('--amp needs an accelerator, and none was found. Leave it out.')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if hook_config(cfg, 'WeakToStrongHook') and cfg.model.get('gamma', 1) != 0:
        check_whole(cfg, 'WeakToStrongHook')
    if hook_config(cfg, 'StartHook'):
        check_whole(cfg, 'StartHook')
    check_work_dir(cfg.work_dir)
    check_data(cfg, ('train', 'val'))
    on_gpus = f'torchrun --nproc-per-node {{}} -m w2s_mm train {args.config} --launcher pytorch'
    check_batch(cfg, args.config, processes_of(cfg), on_gpus)
    if cfg.get('resume'):
        seed = check_resume(cfg)
        if seed is not None and (cfg.get('randomness') or {}).get('seed') is None:
            # MMEngine restores it too, but only after the sampler has been built with another one.
            cfg.merge_from_dict({'randomness.seed': seed})
    return cfg


def train(argv: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    cfg = configure(argv)
    from w2s_mm.hooks import RunRecordHook
    from w2s_mm.utils.mm import build_runner

    with disk_errors(cfg.work_dir):
        runner = build_runner(cfg)
        check_distills(runner)
        runner.register_hook(RunRecordHook())
        runner.train()


@contextmanager
def disk_errors(work_dir: str) -> Iterator[None]:
    """Turn the errors of a disk that is full or read-only into one that says what to do.

    Raises:
        W2SError: A file of the run could not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise W2SError(
            f'{error.filename or work_dir} could not be written: {error.strerror}. The checkpoints '
            f'of this run that are complete are intact. Free some space in {work_dir}, or make it '
            f'writable, then run the same command with --resume to continue.'
        ) from error


def check_distills(runner: Any) -> None:
    """Check that a student has the hook that makes it distill.

    Raises:
        W2SError: ``model.gamma`` is above 0, and there is no WeakToStrongHook.
    """
    from w2s_mm.core.student import WeakToStrong
    from w2s_mm.hooks import WeakToStrongHook
    from w2s_mm.utils.mm import unwrapped

    model = unwrapped(runner.model)
    if not isinstance(model, WeakToStrong) or model.gamma == 0:
        return
    if not any(isinstance(hook, WeakToStrongHook) for hook in runner.hooks):
        raise W2SError(
            f'The model is a {type(model).__name__}, and the run has no WeakToStrongHook, so it '
            f'would train without distillation. Add default_hooks = dict(weak_to_strong=dict('
            f"type='WeakToStrongHook', metric=..., schedule=...)), or set model.gamma=0 for a "
            f'baseline.'
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s train``."""
    run_command(lambda: train(argv), resume='Run the same command with --resume to continue.')
