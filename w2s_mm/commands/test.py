"""The test command."""

from __future__ import annotations

from pathlib import Path

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import is_missing

from .cli import common_parser, read_config, run_command


def test(argv: list[str] | None = None) -> None:
    """Evaluate a checkpoint as the command line says; a student's teacher is never built."""
    from .preflight import check_data

    parser = common_parser('Evaluate a checkpoint.')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='also keep the predictions, in this .pkl file')
    parser.add_argument('--show-dir', help='also draw the predictions, into this directory')
    args = parser.parse_args(argv)
    cfg = read_config(args)
    if is_missing(args.checkpoint):
        raise W2SError(
            f'Checkpoint not found: {args.checkpoint} (looked for '
            f'{Path(args.checkpoint).absolute()}).'
        )
    check_data(cfg, ('test',))
    cfg.load_from = args.checkpoint
    if args.show_dir:
        cfg.merge_from_dict(
            {
                'default_hooks.visualization.draw': True,
                'default_hooks.visualization.test_out_dir': args.show_dir,
            }
        )
    if args.out:
        evaluators = cfg.test_evaluator
        evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
        cfg.test_evaluator = [*evaluators, {'type': 'DumpDetResults', 'out_file_path': args.out}]

    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.test()


def main() -> None:
    """Entry point of ``tools/test.py``."""
    run_command(test)
