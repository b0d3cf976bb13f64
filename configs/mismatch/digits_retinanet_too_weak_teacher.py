"""RetinaNet on the digit scenes, a teacher that is too weak.

Row:     stands for the too weak teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_retinanet_too_weak_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   under a minute on one CPU core (300 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_too_weak_teacher/iter_300.pth,
         the suitable teacher after 300 iterations in the place of 1,500
"""

_base_ = '../digits/retinanet_teacher.py'

train_cfg = dict(max_iters=300, val_interval=100)
