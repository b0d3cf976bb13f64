"""A DDPM on the 8 px digits, a teacher that has not been trained.

Row:     none in the paper; a teacher that a student should not follow
Command: w2s train w2s_mm::mismatch/digits_ddpm_random_teacher.py --seed 0
Needs:   the classifier that FID takes its features from:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
Takes:   seconds on one CPU core (1 iteration of 8 images, learning rate 0)
Gives:   work_dirs/digits_ddpm_random_teacher/iter_1.pth,
         its random weights; give it to digits/ddpm_student.py
         with --teachers of w2s compare
"""

_base_ = '../digits/ddpm_teacher.py'

train_cfg = dict(max_iters=1, val_interval=1)
optim_wrapper = dict(optimizer=dict(lr=0.0))
