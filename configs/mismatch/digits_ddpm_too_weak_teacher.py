"""A DDPM on the 8 px digits, a teacher that is too weak.

Row:     stands for the too weak teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_ddpm_too_weak_teacher.py --seed 0
Needs:   the classifier that FID takes its features from:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
Takes:   under a minute on one CPU core (300 iterations of 8 images)
Gives:   work_dirs/digits_ddpm_too_weak_teacher/iter_300.pth,
         the suitable teacher after 300 iterations in the place of 2,000
"""

_base_ = '../digits/ddpm_teacher.py'

train_cfg = dict(max_iters=300, val_interval=100)
