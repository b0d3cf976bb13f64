"""Cascade R-CNN on the digit scenes, the weak teacher: half as wide as the student.

Row:     none in the paper; shows that the method works with Cascade R-CNN
Command: w2s train w2s_mm::digits/cascade_rcnn_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   under 7 minutes on one CPU core (1,500 iterations of 8 images)
Gives:   work_dirs/cascade_rcnn_teacher/iter_1500.pth
"""

_base_ = './cascade_rcnn_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32], out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=[
            dict(head, in_channels=32, fc_out_channels=64)
            for head in _base_.model.roi_head.bbox_head
        ],
    ),
)
train_cfg = dict(val_interval=100)
