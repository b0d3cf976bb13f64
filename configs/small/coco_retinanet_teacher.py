"""RetinaNet on persons of COCO at 128 px, the weak teacher: half as wide as the student.

Row:     stands for the R34 teacher of the paper's Table 2, on real photographs
Command: w2s train w2s_mm::small/coco_retinanet_teacher.py --seed 0
Needs:   data/coco_persons; the first command says how to write it
Takes:   about 3 minutes on one CPU core (1,000 iterations of 16 images)
Gives:   work_dirs/coco_retinanet_teacher/iter_1000.pth
"""

_base_ = './coco_retinanet_baseline.py'

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32),
)
