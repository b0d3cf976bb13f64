"""A small ResNet on the noisy digits, a teacher that is too weak.

Row:     stands for the too weak teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_classifier_too_weak_teacher.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   seconds on one CPU core (100 iterations of 64 images)
Gives:   work_dirs/digits_classifier_too_weak_teacher/iter_100.pth,
         the suitable teacher after 100 iterations in the place of 800
"""

_base_ = '../digits/classifier_teacher.py'

train_cfg = dict(max_iters=100, val_interval=50)
