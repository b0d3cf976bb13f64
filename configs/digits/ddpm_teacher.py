"""A DDPM on the 8 px digits, the weak teacher: half as wide as the student.

Row:     stands for the nc64-rb2 teacher of the paper's Table 2
Command: w2s train w2s_mm::digits/ddpm_teacher.py --seed 0
Needs:   the classifier that FID takes its features from:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
Takes:   under a minute on two CPU cores (350 iterations of 32 images)
Gives:   work_dirs/ddpm_teacher/iter_350.pth; FID-digits-classifier about 4.1 (the finished
         baseline: about 3.5)
"""

_base_ = './ddpm_baseline.py'

model = dict(unet=dict(channels=16))
train_dataloader = dict(batch_size=32)
auto_scale_lr = dict(base_batch_size=32)
param_scheduler = None
train_cfg = dict(max_iters=350, val_interval=50)
default_hooks = dict(checkpoint=dict(interval=50, max_keep_ckpts=-1))
