"""Blocks that begin as the identity, one of each kind."""

import pytest
import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from torch import nn

from w2s_mm.start.identity import identity_values

X = torch.rand(2, 8, 4, 4)  # not negative, as behind the ReLU of a ResNet


def begin(block):
    values = identity_values(block)
    block.load_state_dict(values, strict=False)
    assert values and set(values) <= set(block.state_dict())
    return block.eval()


@pytest.mark.parametrize('block', [BasicBlock(8, 8), Bottleneck(8, 2)])
def test_residual_blocks(block):
    assert torch.equal(begin(block)(X), X)


def test_a_transformer_layer():
    block = begin(TransformerEncoderLayer(8, 2, 16, layer_scale_init_value=0.1))
    tokens = torch.randn(2, 5, 8)
    torch.testing.assert_close(block(tokens), tokens)


def test_a_block_of_a_unet_ignores_its_skip_connection():
    step = torch.randn(2, 6)
    alone = begin(ResnetBlock2D(in_channels=8, temb_channels=6, groups=4))
    torch.testing.assert_close(alone(X, step), X)
    joined = begin(ResnetBlock2D(in_channels=12, out_channels=8, temb_channels=6, groups=4))
    torch.testing.assert_close(joined(torch.cat([X, torch.randn(2, 4, 4, 4)], 1), step), X)


def test_attention():
    block = Attention(8, heads=2, dim_head=4, residual_connection=True, bias=True)
    torch.testing.assert_close(begin(block)(X), X)


def test_no_other_block():
    assert identity_values(nn.Conv2d(8, 8, 1)) is None
    assert identity_values(BasicBlock(8, 8, downsample=nn.Conv2d(8, 8, 1))) is None
    assert identity_values(Attention(8, heads=2, dim_head=4)) is None
