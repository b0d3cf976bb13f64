"""A small ResNet on the noisy digits, a teacher that is too strong.

Row:     stands for the too strong teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_classifier_too_strong_teacher.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about 4 minutes on one CPU core (3,000 iterations of 32 images)
Gives:   work_dirs/digits_classifier_too_strong_teacher/iter_3000.pth,
         twice as wide as the student, and trained longer
"""

_base_ = '../digits/classifier_baseline.py'

model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    head=dict(in_channels=128),
)
train_cfg = dict(max_iters=3000, val_interval=300)
