"""Write a trained diffusion model as a pipeline folder of diffusers, and read it back.

python tools/export_ddpm.py configs/digits/ddpm_student.py CHECKPOINT FOLDER
"""

from __future__ import annotations

import argparse

from w2s_mm.commands.cli import check_config_environment, run_command
from w2s_mm.utils.errors import W2SError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument(
        'checkpoint', help='its checkpoint; the averaged weights, where EMAHook kept them'
    )
    parser.add_argument('folder', help='what to write; must not be there yet')
    return parser.parse_args()


def export(args: argparse.Namespace) -> None:
    """Build the model, write the folder, and compare samples of both.

    Raises:
        W2SError: Something is missing or does not fit.
    """
    check_config_environment(args.config)
    import torch
    from mmengine.config import Config
    from mmengine.registry import MODELS, DefaultScope

    from w2s_mm.generation import DDPM, export_pipeline, load_pipeline
    from w2s_mm.utils.checkpoint import load_checkpoint, load_weights

    cfg = Config.fromfile(args.config)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model = MODELS.build(cfg.model)
    if not isinstance(model, DDPM):
        raise W2SError(f'{args.config} builds a {type(model).__name__}; expected a DDPM.')
    checkpoint = load_checkpoint(args.checkpoint, weights_only=False)
    load_weights(model, checkpoint['state_dict'], args.checkpoint, config=args.config)
    export_pipeline(model.eval(), args.folder)
    again = load_pipeline(args.folder)
    for method in ('ddim', 'ancestral'):
        ours, theirs = (
            each.sample(2, torch.Generator().manual_seed(0), method, 2) for each in (model, again)
        )
        if not torch.equal(ours, theirs):
            raise W2SError(f'{args.folder} does not give the samples of {args.checkpoint}.')
    averaged = 'averaged' if 'ema_state_dict' in checkpoint else 'trained'
    print(f'Written to {args.folder}, with the {averaged} weights; samples are identical.')


if __name__ == '__main__':
    args = parse_args()
    run_command(lambda: export(args))
