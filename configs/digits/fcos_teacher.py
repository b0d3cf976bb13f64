"""FCOS on the digit scenes, the weak teacher: half as wide as the student.

Row:     none in the paper; shows that the method works with FCOS
Command: w2s train w2s_mm::digits/fcos_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 5 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/fcos_teacher/iter_1500.pth
"""

_base_ = './fcos_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32),
)
