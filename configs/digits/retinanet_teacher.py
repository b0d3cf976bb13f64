"""Weak RetinaNet teacher on the digit scenes: the student's architecture, half as wide.

Command: python tools/train.py configs/digits/retinanet_teacher.py --seed 0
Needs:   python tools/make_digit_scenes.py
Takes:   about 2 minutes on two CPU cores (900 iterations of 16 images)
Gives:   work_dirs/retinanet_teacher/iter_900.pth, AP50 about 35: some 15 % below the finished baseline
Row:     stands for the R34 teacher of the paper's Table 2.
"""

_base_ = './retinanet_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32),
)
train_cfg = dict(max_iters=900, val_interval=100)
