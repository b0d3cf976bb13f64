"""A tiny diffusion model, and a student of it."""

import copy

import pytest
import torch
from mmengine.registry import MODELS

import w2s_mm.generation  # noqa: F401  (registers everything)

UNET = dict(type='ImprovedDDPMUNet', channels=8, blocks=1, image_size=8, in_channels=1, dropout=0.2)
MODEL = dict(
    type='DDPM',
    unet=UNET,
    steps=50,
    sampling=dict(steps=4),
    data_preprocessor=dict(type='ImgDataPreprocessor', mean=[127.5], std=[127.5]),
)


@pytest.fixture
def ddpm():
    """``ddpm(**changes)``: config of a tiny model; ``unet`` changes the network's keys."""

    def config(**changes):
        made = copy.deepcopy(MODEL)
        made['unet'].update(changes.pop('unet', {}))
        return {**made, **changes}

    return config


@pytest.fixture
def build():
    """``build(config)``: a model in training mode, from seed 0, that predicts more than zeros."""

    def model(config, seed=0):
        torch.manual_seed(seed)
        built = MODELS.build(copy.deepcopy(config)).train()
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.02)
        return built

    return model


@pytest.fixture
def save_teacher(ddpm, build, tmp_path):
    """``save_teacher(**changes)``: the ``teacher`` arguments of a student; weights in a file."""

    def arguments(**changes):
        config = ddpm(**changes)
        path = tmp_path / f'teacher_{len(list(tmp_path.iterdir()))}.pth'
        torch.save({'state_dict': build(config, seed=1).state_dict()}, path)
        return {'config': config, 'checkpoint': str(path)}

    return arguments


@pytest.fixture
def make_student(ddpm, build, save_teacher):
    """``make_student(...)``: a tiny student in training mode."""

    def student(teacher=None, distill_head=None, **changes):
        return build(
            {
                **ddpm(**changes),
                'type': 'W2SDDPM',
                'teacher': teacher or save_teacher(),
                'distill_head': {'type': 'NoiseDistillHead', **(distill_head or {})},
            }
        )

    return student


@pytest.fixture
def images():
    """8-bit images (6, 1, 8, 8) on [-1, 1]."""
    generator = torch.Generator().manual_seed(9)
    return torch.randint(0, 256, (6, 1, 8, 8), generator=generator) / 127.5 - 1
