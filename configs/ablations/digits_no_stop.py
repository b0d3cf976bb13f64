"""No stop after surpassing on the noisy digits, as in Figure 6 of the paper.

Command: python tools/train.py configs/ablations/digits_no_stop.py --seed 0
Needs:   the teacher: python tools/train.py configs/digits/classifier_teacher.py --seed 0
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_no_stop/{time_to_target,weak_to_strong}.json for tools/first_at.py,
         against configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

# Neither a stop rule nor the schedule ends it.
default_hooks = dict(
    weak_to_strong=dict(
        stop=dict(_delete_=True, type='NeverStop'),
        schedule=dict(warmup=20, hold=580, decay=0),
    )
)
