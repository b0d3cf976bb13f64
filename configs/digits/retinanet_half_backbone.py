"""RetinaNet on the digit scenes, a teacher with half the backbone and the student's neck and head.

Row:     none in the paper; stands for the R34 teacher of its Table 2, whose FPN outputs and head
         have the shapes of the student's
Command: w2s train w2s_mm::digits/retinanet_half_backbone.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/retinanet_half_backbone/iter_1500.pth
"""

_base_ = './retinanet_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32]),
)
