"""ATSS student on the digit scenes, guided by a teacher half as wide.

Command: python tools/train.py configs/digits/atss_student.py --seed 0
Needs:   python tools/make_digit_scenes.py, and the teacher:
         python tools/train.py configs/digits/atss_teacher.py --seed 0
Takes:   about 3 minutes on one CPU core (600 iterations of 16 images)
Gives:   work_dirs/atss_student/{time_to_target,weak_to_strong}.json for tools/first_at.py
Row:     none in the paper: shows that the method carries over to ATSS.
"""

_base_ = './atss_baseline.py'

model = dict(
    type='W2SATSS',
    teacher=dict(
        config='configs/digits/atss_teacher.py',
        checkpoint='work_dirs/atss_teacher/iter_900.pth',
    ),
    distill_head=_base_.digit_distill_head,
)
default_hooks = _base_.digit_w2s_hooks
