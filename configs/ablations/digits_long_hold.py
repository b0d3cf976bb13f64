"""A hold so long that the stop rule comes first, on the noisy digits.

Row:     stands for the stop rule of the paper (k = 2; Figure 6b)
Command: w2s train w2s_mm::ablations/digits_long_hold.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_long_hold/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with digits_long_hold_no_stop.py and
         digits_stop_alone.py
"""

_base_ = '../digits/classifier_student.py'

default_hooks = dict(
    weak_to_strong=dict(
        temperature=dict(length=1300),
        schedule=dict(hold=950, decay=300),  # ends after 1,300 of 1,500 iterations
    )
)
