"""Classifier student with label smoothing on the noisy digits, as in Figure 4 of the paper.

Command: python tools/train.py configs/ablations/digits_label_smoothing.py --seed 0
Needs:   the teacher: python tools/train.py configs/digits/classifier_teacher.py --seed 0
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_label_smoothing/{time_to_target,weak_to_strong}.json for
         tools/first_at.py, against configs/ablations/digits_label_smoothing_baseline.py
"""

_base_ = '../digits/classifier_student.py'

model = dict(
    head=dict(
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, num_classes=10)
    )
)
