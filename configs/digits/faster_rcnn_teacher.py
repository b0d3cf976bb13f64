"""Faster R-CNN on the digit scenes, the weak teacher: half as wide as the student.

Row:     stands for the R18 teacher of the paper's Table 2
Command: w2s train w2s_mm::digits/faster_rcnn_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 6 minutes on one CPU core (1,500 iterations of 8 images)
Gives:   work_dirs/faster_rcnn_teacher/iter_1500.pth; AP50 about 60, some 6 % below the finished
         baseline
"""

_base_ = './faster_rcnn_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32], out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=dict(in_channels=32, fc_out_channels=64),
    ),
)
