"""RetinaNet on the digit scenes, the weak teacher: half as wide as the student.

Row:     stands for the R34 teacher of the paper's Table 2
Command: w2s train w2s_mm::digits/retinanet_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/retinanet_teacher/iter_1500.pth; AP50 about 50, a fifth below the finished
         baseline
"""

_base_ = './retinanet_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32),
)
