"""A constant temperature of 2, on the noisy digits.

Row:     none in the paper, whose Table 1 uses T from 6 to 1
Command: w2s train w2s_mm::ablations/digits_constant_temperature.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_constant_temperature/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

default_hooks = dict(weak_to_strong=dict(temperature=2.0))
