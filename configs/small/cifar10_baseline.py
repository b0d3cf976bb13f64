"""Baseline on CIFAR-10 at a size for two CPU cores; stands for the rows of Table 1 of the paper.

Command: python tools/train.py configs/small/cifar10_baseline.py --seed 0
Needs:   CIFAR-10 as image folders in data/cifar10_images; the first command says how to get them
Takes:   about 4 minutes on two CPU cores (782 iterations of 64 images)
Gives:   work_dirs/cifar10_baseline/time_to_target.json; Top-1 about 56 at the end. The target is
         Top-1 48 (arXiv 2604.15451: 75, of a ResNet-50 that ends at 95.65)
"""

_base_ = ['mmpretrain::_base_/models/resnet18_cifar.py', '../_base_/cifar10_small.py']

model = dict(
    backbone=dict(stem_channels=12, base_channels=12),
    head=dict(in_channels=96),
)
