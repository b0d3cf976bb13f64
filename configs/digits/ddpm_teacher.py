"""Weak DDPM teacher on the 8 px digits: the student's architecture, half as wide.

Command: python tools/train.py configs/digits/ddpm_teacher.py --seed 0
Needs:   the classifier that FID takes its features from:
         python tools/train.py configs/digits/fid_classifier.py --seed 0
Takes:   about 2 minutes on two CPU cores (1,500 iterations of 32 images)
Gives:   work_dirs/ddpm_teacher/iter_1500.pth
Row:     stands for the nc64-rb2 teacher of the paper's Table 2.
"""

_base_ = './ddpm_baseline.py'

model = dict(unet=dict(channels=16))
train_cfg = dict(max_iters=1500, val_interval=250)
default_hooks = dict(checkpoint=dict(interval=250, max_keep_ckpts=-1))
