"""Weak ATSS teacher on the digit scenes: the student's architecture, half as wide.

Command: python tools/train.py configs/digits/atss_teacher.py --seed 0
Needs:   python tools/make_digit_scenes.py
Takes:   under 4 minutes on one CPU core (900 iterations of 16 images)
Gives:   work_dirs/atss_teacher/iter_900.pth
"""

_base_ = './atss_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32),
)
train_cfg = dict(max_iters=900, val_interval=100)
