"""KL(student || teacher) on the noisy digits, as in Figure 4 of the paper.

Command: python tools/train.py configs/ablations/digits_reverse_kl.py --seed 0
Needs:   the teacher: python tools/train.py configs/digits/classifier_teacher.py --seed 0
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_reverse_kl/{time_to_target,weak_to_strong}.json for tools/first_at.py,
         against configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

model = dict(distill_head=dict(loss=dict(type='KLDistillLoss', reverse=True)))
