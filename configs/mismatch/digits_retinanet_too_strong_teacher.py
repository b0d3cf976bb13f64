"""RetinaNet on the digit scenes, a teacher that is too strong.

Row:     stands for the too strong teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_retinanet_too_strong_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 8 minutes on one CPU core (2,500 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_too_strong_teacher/iter_2500.pth,
         wider than the student, and trained longer
"""

_base_ = '../digits/retinanet_baseline.py'

model = dict(
    backbone=dict(base_channels=24, stem_channels=24),
    neck=dict(in_channels=[24, 48, 96], out_channels=64),
    bbox_head=dict(in_channels=64, feat_channels=64),
)
train_cfg = dict(max_iters=2500, val_interval=250)
