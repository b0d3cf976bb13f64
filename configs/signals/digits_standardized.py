"""Standardised logits on the noisy digits.

Row:     none in the paper: its loss between standardised logits, arXiv 2403.01427
Command: w2s train w2s_mm::signals/digits_standardized.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_standardized/{time_to_target,weak_to_strong}.json for `w2s report`;
         compare with configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

model = dict(
    distill_head=dict(
        loss=dict(_delete_=True, type='StandardizedDistillLoss', loss=dict(type='KLDistillLoss')),
        temperature=2.0,  # the source's, of logits whose deviation is 1
    )
)
