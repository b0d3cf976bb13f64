import pytest
import torch
from mmengine.registry import MODELS
from mmpretrain.models.backbones.mobilenet_v2 import MobileNetV2

import w2s_mm.classification  # noqa: F401  (registers the backbones)


def build(**settings):
    return MODELS.build(dict(type='CIFARMobileNetV2', **settings))


def test_maps_shrink_from_32_to_4_pixels():
    model = build(widen_factor=0.25, out_indices=tuple(range(8)))
    model.eval()
    stem = []
    model.conv1.register_forward_hook(lambda module, args, out: stem.append(out.shape[-1]))
    sides = [out.shape[-1] for out in model(torch.randn(1, 3, 32, 32))]
    assert stem == [32]
    assert sides == [32, 32, 16, 8, 8, 4, 4, 4]


@pytest.mark.parametrize('widen_factor', [0.5, 1.0])
def test_last_map_is_4_by_4_with_1280_channels(widen_factor):
    (out,) = build(widen_factor=widen_factor)(torch.randn(2, 3, 32, 32))
    assert out.shape == (2, 1280, 4, 4)


def test_weights_are_those_of_mmpretrain_by_name_number_and_shape():
    ours, theirs = build(), MobileNetV2()
    shapes = [{k: v.shape for k, v in model.state_dict().items()} for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    sizes = [sum(p.numel() for p in model.parameters()) for model in (ours, theirs)]
    assert sizes == [2_223_872, 2_223_872]
    ours.load_state_dict(theirs.state_dict(), strict=True)


def test_only_the_strides_of_stem_and_second_stage_differ():
    ours, theirs = build(), MobileNetV2()
    convolutions = [
        {name: m.stride for name, m in model.named_modules() if isinstance(m, torch.nn.Conv2d)}
        for model in (ours, theirs)
    ]
    differing = {name for name in convolutions[0] if convolutions[0][name] != convolutions[1][name]}
    assert differing == {'conv1.conv', 'layer2.0.conv.1.conv'}
    assert MobileNetV2.arch_settings[1] == [6, 24, 2, 2]  # the class of MMPretrain is untouched
