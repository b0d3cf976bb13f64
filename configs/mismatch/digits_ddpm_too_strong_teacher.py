"""A DDPM on the 8 px digits, a teacher that is too strong.

Row:     stands for the too strong teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_ddpm_too_strong_teacher.py --seed 0
Needs:   the classifier that FID takes its features from:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
Takes:   about 6 minutes on one CPU core (4,000 iterations of 8 images)
Gives:   work_dirs/digits_ddpm_too_strong_teacher/iter_4000.pth,
         half as wide again as the student, and trained longer
"""

_base_ = '../digits/ddpm_baseline.py'

model = dict(unet=dict(channels=48))
train_cfg = dict(max_iters=4000, val_interval=400)
