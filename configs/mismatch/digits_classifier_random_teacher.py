"""A smaller ResNet on the noisy digits, a teacher that has not been trained.

Row:     none in the paper; a teacher that a student should not follow
Command: w2s train w2s_mm::mismatch/digits_classifier_random_teacher.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   seconds on one CPU core (1 iteration of 64 images, learning rate 0)
Gives:   work_dirs/digits_classifier_random_teacher/iter_1.pth,
         its random weights; give it to digits/classifier_student.py
         with --teachers of w2s compare
"""

_base_ = '../digits/classifier_teacher.py'

train_cfg = dict(max_iters=1, val_interval=1)
optim_wrapper = dict(optimizer=dict(lr=0.0))
