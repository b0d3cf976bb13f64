"""``w2s export-ddpm``: write a trained diffusion model as a diffusers folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from w2s_mm.utils.errors import W2SError

from .cli import read_checked, run_command


def export_ddpm(argv: Sequence[str] | None = None) -> None:
    """Build the model, write the folder, read it back, and compare samples of both.

    Raises:
        W2SError: Something is missing or does not fit.
    """
    parser = argparse.ArgumentParser(
        prog='w2s export-ddpm',
        description='Write a trained diffusion model as a pipeline folder of diffusers, read it '
        'back, and check that both draw the same samples.',
    )
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument(
        'checkpoint', help='its checkpoint; the averaged weights are used if EMAHook kept them'
    )
    parser.add_argument('folder', help='folder to write; must not exist yet')
    args = parser.parse_args(argv)
    cfg = read_checked(args.config)
    import torch
    from mmengine.registry import MODELS, DefaultScope

    from w2s_mm.generation import DDPM, export_pipeline, load_pipeline
    from w2s_mm.utils.checkpoint import load_checkpoint, load_weights

    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model = MODELS.build(cfg.model)
    if not isinstance(model, DDPM):
        raise W2SError(f'{args.config} builds a {type(model).__name__}; expected a DDPM.')
    checkpoint = load_checkpoint(args.checkpoint)
    load_weights(model, checkpoint['state_dict'], args.checkpoint, config=args.config)
    export_pipeline(model.eval(), args.folder)
    again = load_pipeline(args.folder, sampling=model.sampling)
    for method in ('ddim', 'ancestral'):
        ours, theirs = (
            each.sample(2, torch.Generator().manual_seed(0), method, 2) for each in (model, again)
        )
        if not torch.equal(ours, theirs):
            raise W2SError(f'{args.folder} does not draw the samples of {args.checkpoint}.')
    averaged = 'averaged' if 'ema_state_dict' in checkpoint else 'trained'
    print(f'Written to {args.folder}, with the {averaged} weights; samples are identical.')


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``w2s export-ddpm``."""
    run_command(lambda: export_ddpm(argv))
