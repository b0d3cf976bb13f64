"""Mask R-CNN on the digit scenes, the weak teacher: half as wide as the student.

Row:     none in the paper; shows that the method works with Mask R-CNN
Command: w2s train w2s_mm::digits/mask_rcnn_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   not yet measured (1,500 iterations of 8 images)
Gives:   work_dirs/mask_rcnn_teacher/iter_1500.pth
"""

_base_ = './mask_rcnn_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32], out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=dict(in_channels=32, fc_out_channels=64),
        mask_roi_extractor=dict(out_channels=32),
        mask_head=dict(in_channels=32, conv_out_channels=32),
    ),
)
train_cfg = dict(val_interval=100)
