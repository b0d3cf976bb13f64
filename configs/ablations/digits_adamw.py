"""Classifier student under AdamW on the noisy digits, as in Figure 5a of the paper.

Command: python tools/train.py configs/ablations/digits_adamw.py --seed 0
Needs:   the teacher: python tools/train.py configs/digits/classifier_teacher.py --seed 0
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_adamw/{time_to_target,weak_to_strong}.json, against
         configs/ablations/digits_adamw_baseline.py
"""

_base_ = '../digits/classifier_student.py'

optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=6e-3, weight_decay=0.05))
