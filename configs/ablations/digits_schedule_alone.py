"""The schedule without the stop rule, on the noisy digits.

Row:     stands for Figure 6b of the paper; here the schedule still ends before the run
Command: w2s train w2s_mm::ablations/digits_schedule_alone.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_schedule_alone/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with
         configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

default_hooks = dict(weak_to_strong=dict(stop=dict(_delete_=True, type='NeverStop')))
