"""A smaller ResNet on CIFAR-10, the weak teacher: narrower, one stage shorter.

Row:     stands for the CIFAR-10 teacher of the paper's Table 1 (Top-1 85.55, a tenth below 95.65)
Command: w2s train w2s_mm::small/cifar10_teacher.py --seed 0
Needs:   CIFAR-10 as image folders in data/cifar10_images; the first command says how to get them
Takes:   about 2 minutes on one CPU core (1,500 iterations of 64 images)
Gives:   work_dirs/cifar10_teacher/iter_1500.pth; Top-1 about 55, a little below the finished
         baseline
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
