"""No warmup of lambda, on the noisy digits.

Row:     stands for Figure 6a of the paper
Command: w2s train w2s_mm::ablations/digits_no_warm_start.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_no_warm_start/{time_to_target,weak_to_strong}.json for `w2s report`;
         compare with configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

# lambda_max from the first iteration on, for as long as with the warmup.
default_hooks = dict(weak_to_strong=dict(schedule=dict(warmup=0.0, hold=0.68)))
