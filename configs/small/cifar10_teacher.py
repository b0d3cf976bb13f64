"""Weak teacher on CIFAR-10, narrower and a stage shorter; stands for those of the paper's Table 1.

Command: python tools/train.py configs/small/cifar10_teacher.py --seed 0
Needs:   CIFAR-10 as image folders in data/cifar10_images; the first command says how to get them
Takes:   about 2 minutes on two CPU cores (900 iterations of 64 images)
Gives:   work_dirs/cifar10_teacher/iter_900.pth; Top-1 about 55, a little below the finished baseline
         (arXiv 2604.15451: 85.55 to 95.65, a tenth)
"""

_base_ = './cifar10_baseline.py'

model = dict(
    backbone=dict(
        stem_channels=8,
        base_channels=8,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    head=dict(in_channels=32),
)
train_cfg = dict(max_iters=900, val_interval=450)
