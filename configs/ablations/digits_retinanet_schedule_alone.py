"""The schedule without the stop rule, on RetinaNet and the digit scenes.

Row:     stands for Figure 6b of the paper; here the schedule still ends before the run
Command: w2s train w2s_mm::ablations/digits_retinanet_schedule_alone.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
         and the teacher: w2s train w2s_mm::digits/retinanet_teacher.py --seed 0
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_schedule_alone/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with
         configs/digits/retinanet_student.py
"""

_base_ = '../digits/retinanet_student.py'

default_hooks = dict(weak_to_strong=dict(stop=dict(_delete_=True, type='NeverStop')))
