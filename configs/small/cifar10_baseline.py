"""A small ResNet on CIFAR-10, one pass, the baseline: the student without a teacher.

Row:     stands for the baselines of the paper's Table 1. The target, Top-1 55, is 95 % of where the
         tuning run (seed 100) ended, and was fixed before the reported runs
Command: w2s train w2s_mm::small/cifar10_baseline.py --seed 0
Needs:   CIFAR-10 as image folders in data/cifar10_images; the first command says how to get them
Takes:   about 3 minutes on one CPU core (1,500 iterations of 64 images)
Gives:   work_dirs/cifar10_baseline/time_to_target.json; Top-1 about 56 at the end
"""

_base_ = ['mmpretrain::_base_/models/resnet18_cifar.py', '../_base_/cifar10_small.py']

model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    head=dict(in_channels=128),
)
