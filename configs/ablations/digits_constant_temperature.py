"""T = 2 throughout on the noisy digits, beside Table 1 of the paper.

Command: python tools/train.py configs/ablations/digits_constant_temperature.py --seed 0
Needs:   the teacher: python tools/train.py configs/digits/classifier_teacher.py --seed 0
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_constant_temperature/{time_to_target,weak_to_strong}.json for
         tools/first_at.py, against configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

default_hooks = dict(weak_to_strong=dict(temperature=2.0))
