"""Distillation to the end of the run, on the noisy digits.

Row:     stands for Figure 6b of the paper
Command: w2s train w2s_mm::ablations/digits_no_stop.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_no_stop/{time_to_target,weak_to_strong}.json for `w2s report`; compare
         with configs/digits/classifier_student.py. The ramp of T keeps the student's length
"""

_base_ = '../digits/classifier_student.py'

# Neither a stop rule nor the schedule ends it.
default_hooks = dict(
    weak_to_strong=dict(
        stop=dict(_delete_=True, type='NeverStop'),
        schedule=dict(hold=0.97, decay=0.0),
    )
)
