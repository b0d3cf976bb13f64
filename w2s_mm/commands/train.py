"""The training command."""

from __future__ import annotations

from typing import Any

from w2s_mm.utils.errors import W2SError

from .cli import common_parser, read_config, run_command


def configure(argv: list[str] | None = None) -> Any:
    """Read the command line and the config it names, and check both.

    Raises:
        W2SError: Something is missing or does not fit; nothing has been written yet.
    """
    from mmengine.device import get_device

    from .preflight import check_data, check_resume

    parser = common_parser('Train a model.')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate')
    parser.add_argument('--seed', type=int, help='random seed (default: drawn, and logged)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint, or from the latest one in the work directory',
    )
    args = parser.parse_args(argv)
    cfg = read_config(args)
    if args.seed is not None:
        cfg.merge_from_dict({'randomness.seed': args.seed})
    if args.amp:
        if get_device() == 'cpu':
            raise W2SError('--amp needs an accelerator, and none was found. Leave it out.')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise W2SError(
                '--auto-scale-lr needs auto_scale_lr.base_batch_size in the config, and found '
                'none. Add auto_scale_lr=dict(base_batch_size=...).'
            )
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    check_data(cfg, ('train', 'val'))
    if cfg.get('resume'):
        check_resume(cfg)
    return cfg


def train(argv: list[str] | None = None) -> None:
    """Train as the command line says."""
    cfg = configure(argv)
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    from w2s_mm.hooks import RunRecordHook

    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.register_hook(RunRecordHook())
    runner.train()


def main() -> None:
    """Entry point of ``tools/train.py``."""
    run_command(train)
