"""A hold so long that the stop rule comes first, on RetinaNet and the digit scenes.

Row:     stands for the stop rule of the paper (k = 2; Figure 6b)
Command: w2s train w2s_mm::ablations/digits_retinanet_long_hold.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
         and the teacher: w2s train w2s_mm::digits/retinanet_teacher.py --seed 0
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_long_hold/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with digits_retinanet_long_hold_no_stop.py and
         digits_retinanet_stop_alone.py
"""

_base_ = '../digits/retinanet_student.py'

default_hooks = dict(
    weak_to_strong=dict(
        schedule=dict(hold=950, decay=300),  # ends after 1,300 of 1,500 iterations
    )
)
