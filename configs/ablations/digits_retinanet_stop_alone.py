"""The stop rule alone, without a decay, on RetinaNet and the digit scenes.

Row:     none in the paper, whose Figure 6 leaves out the stop and keeps the decay
Command: w2s train w2s_mm::ablations/digits_retinanet_stop_alone.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
         and the teacher: w2s train w2s_mm::digits/retinanet_teacher.py --seed 0
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_stop_alone/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with
         configs/digits/retinanet_student.py
"""

_base_ = '../digits/retinanet_student.py'

# lambda_max to the end of the run, unless the stop rule comes first.
default_hooks = dict(weak_to_strong=dict(schedule=dict(hold=0.97, decay=0.0)))
