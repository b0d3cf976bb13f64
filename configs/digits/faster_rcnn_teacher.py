"""Weak Faster R-CNN teacher on the digit scenes: the student's architecture, half as wide.

Command: python tools/train.py configs/digits/faster_rcnn_teacher.py --seed 0
Needs:   python tools/make_digit_scenes.py
Takes:   about 6 minutes on one CPU core (1200 iterations of 16 images)
Gives:   work_dirs/faster_rcnn_teacher/iter_1200.pth, AP50 about 60: some 6 % below the finished baseline
Row:     stands for the R18 teacher of Faster R-CNN in the paper's Table 2.
"""

_base_ = './faster_rcnn_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=dict(in_channels=32, fc_out_channels=64),
    ),
)
train_cfg = dict(max_iters=1200, val_interval=100)
