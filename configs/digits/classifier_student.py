"""Classifier student on the noisy digits, guided by a smaller one.

Command: python tools/train.py configs/digits/classifier_student.py --seed 0
Needs:   the teacher: python tools/train.py configs/digits/classifier_teacher.py --seed 0
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/classifier_student/{time_to_target,weak_to_strong}.json for tools/first_at.py
Row:     stands for the rows of the paper's Table 1 trained with SGD (1.36x to 1.83x).
"""

_base_ = './classifier_baseline.py'

model = dict(
    type='W2SImageClassifier',
    teacher=dict(
        config='configs/digits/classifier_teacher.py',
        checkpoint='work_dirs/classifier_teacher/iter_800.pth',
    ),
    distill_head=_base_.distill_head,
)
default_hooks = _base_.noisy_digits_w2s_hooks
