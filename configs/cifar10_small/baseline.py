"""Small CIFAR-10 baseline, ResNet-18 with 12 base channels: the student without a teacher."""

_base_ = ['mmpretrain::_base_/models/resnet18_cifar.py', '../_base_/cifar10_small.py']

model = dict(
    backbone=dict(stem_channels=12, base_channels=12),
    head=dict(in_channels=96),
)
