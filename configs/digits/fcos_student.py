"""FCOS student on the digit scenes, guided by a teacher half as wide.

Command: python tools/train.py configs/digits/fcos_student.py --seed 0
Needs:   python tools/make_digit_scenes.py, and the teacher:
         python tools/train.py configs/digits/fcos_teacher.py --seed 0
Takes:   about 3 minutes on one CPU core (600 iterations of 16 images)
Gives:   work_dirs/fcos_student/{time_to_target,weak_to_strong}.json for tools/first_at.py
Row:     none in the paper: shows that the method carries over to FCOS.
"""

_base_ = './fcos_baseline.py'

model = dict(
    type='W2SFCOS',
    teacher=dict(
        config='configs/digits/fcos_teacher.py',
        checkpoint='work_dirs/fcos_teacher/iter_900.pth',
    ),
    # Distances rather than deltas: compared as this family's own loss compares them.
    distill_head=dict(
        _base_.digit_distill_head,
        loss_bbox=dict(_base_.digit_distill_head.loss_bbox, mode='giou'),
    ),
)
default_hooks = _base_.digit_w2s_hooks
