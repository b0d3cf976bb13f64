"""Faster R-CNN on persons of COCO at 128 px, the weak teacher: half as wide as the student.

Row:     stands for the R18 teacher of the paper's Table 2, on real photographs
Command: w2s train w2s_mm::small/coco_faster_rcnn_teacher.py --seed 0
Needs:   data/coco_persons; the first command says how to write it
Takes:   about 4 minutes on one CPU core (1,000 iterations of 8 images)
Gives:   work_dirs/coco_faster_rcnn_teacher/iter_1000.pth
"""

_base_ = './coco_faster_rcnn_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=dict(in_channels=32, fc_out_channels=64),
    ),
)
