"""What the diffusion configs agree on, and the paper's settings where it gives them."""

from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs').rglob('*ddpm_*.py'))
PAPER = [path for path in CONFIGS if 'digits' not in str(path)]


def read(path):
    return Config.fromfile(ROOT / path)


def test_the_papers_pairs_are_there():
    stems = {path.stem for path in PAPER}
    assert stems >= {
        *('ddpm_nc64rb2_to_nc128rb3', 'ddpm_nc64rb2_to_nc160rb3'),
        *('ddpm_nc64rb1_to_nc128rb3', 'ddpm_nc64rb3_to_nc128rb3'),
    }


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_less_is_better_and_counts_when_it_holds_twice(path):
    cfg = read(path)
    features = cfg.val_evaluator.get('features', {})
    metric = f'FID-{features.name}' if features else 'FID'
    measured, distilled = (cfg.default_hooks.get(n) for n in ('time_to_target', 'weak_to_strong'))
    assert (measured.metric, measured.rule, measured.k) == (metric, 'less', 2)
    if distilled:
        assert (distilled.metric, distilled.rule) == (metric, 'less')
        alone = path.stem.endswith('schedule_alone')
        expected = dict(type='NeverStop') if alone else dict(type='SurpassGate', k=2)
        assert distilled.stop == expected
    assert cfg.default_hooks.samples.type == 'SampleGridHook'
    assert cfg.val_cfg.type == 'SamplingLoop'
    assert cfg.val_dataloader.sampler.round_up is False
    assert [hook.type for hook in cfg.custom_hooks] == ['EMAHook']


@pytest.mark.parametrize('path', PAPER, ids=str)
def test_the_papers_settings(path):
    cfg = read(path)
    assert cfg.model.type == ('W2SDDPM' if '_to_' in path.stem else 'DDPM')
    assert cfg.default_hooks.time_to_target.thresholds == [60]
    assert cfg.randomness.diff_rank_seed  # or all processes would draw the same noise
    # What improved DDPM's command for CIFAR-10 leaves as it is: no flip, and rescaled steps.
    assert [step.type for step in cfg.train_dataloader.dataset.pipeline] == ['PackInputs']
    assert cfg.model.rescale_timesteps and cfg.model.sampling.use_clipped_model_output
    student = path.stem.removesuffix('_start').split('_')[-1]
    assert f'nc{cfg.model.unet.channels}rb{cfg.model.unet.blocks}' == student
    if '_to_' in path.stem:
        assert cfg.default_hooks.weak_to_strong.schedule.lambda_max == 0.2
        assert (cfg.model.distill_head.ratio, cfg.model.distill_head.side) == (0.5, 'low')
        teacher = read(cfg.model.teacher.config.replace('w2s_mm::', 'configs/'))
        named = path.stem.split('_')[1]
        assert f'nc{teacher.model.unet.channels}rb{teacher.model.unet.blocks}' == named
        assert teacher.model.sampling == cfg.model.sampling
