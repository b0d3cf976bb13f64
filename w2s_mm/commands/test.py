"""``w2s test``: evaluate a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import is_missing

from .cli import config_parser, read_config, run_command


def test(argv: Sequence[str] | None = None) -> None:
    """Evaluate a checkpoint as the command line says; a student's teacher is never built.

    Raises:
        W2SError: Something is missing or does not fit.
    """
    from w2s_mm.utils.mm import build_runner

    from .preflight import check_data

    parser = config_parser('test', 'Evaluate a checkpoint.')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', metavar='FILE', help='also write the predictions to this .pkl')
    parser.add_argument('--show-dir', metavar='DIR', help='also draw the predictions into DIR')
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
        cfg.merge_from_dict({'default_hooks.visualization': _drawing(cfg, args.show_dir)})
    if args.out:
        evaluators = cfg.test_evaluator
        evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
        kind = 'DumpDetResults' if cfg.get('default_scope') == 'mmdet' else 'DumpResults'
        cfg.test_evaluator = [*evaluators, {'type': kind, 'out_file_path': args.out}]
    build_runner(cfg).test()


def _drawing(cfg: Any, folder: str) -> dict[str, Any]:
    """Settings of the VisualizationHook that draws every prediction.

    Raises:
        W2SError: The predictions of this model cannot be drawn.
    """
    from w2s_mm.utils.mm import type_name

    scope = cfg.get('default_scope')
    options = {
        'mmdet': {'draw': True, 'test_out_dir': folder},
        'mmpretrain': {'enable': True, 'interval': 1, 'out_dir': folder},
    }
    model = type_name((cfg.get('model') or {}).get('type')) or ''
    if scope not in options or model.endswith('DDPM'):
        raise W2SError(
            f'--show-dir draws the predictions of detectors and classifiers; this is a {model} '
            f'(default_scope {scope!r}). Leave it out. A diffusion model writes a grid of samples '
            f'at every validation (SampleGridHook).'
        )
    return options[scope]


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s test``."""
    run_command(lambda: test(argv))
