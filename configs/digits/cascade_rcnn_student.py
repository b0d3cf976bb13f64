"""Cascade R-CNN student on the digit scenes, guided by a teacher half as wide.

Command: python tools/train.py configs/digits/cascade_rcnn_student.py --seed 0
Needs:   python tools/make_digit_scenes.py, and the teacher:
         python tools/train.py configs/digits/cascade_rcnn_teacher.py --seed 0
Takes:   about 10 minutes on one CPU core (600 iterations of 16 images)
Gives:   work_dirs/cascade_rcnn_student/{time_to_target,weak_to_strong}.json for tools/first_at.py
Row:     none in the paper: shows that the method carries over to Cascade R-CNN.
"""

_base_ = './cascade_rcnn_baseline.py'

model = dict(
    type='W2SCascadeRCNN',
    teacher=dict(
        config='configs/digits/cascade_rcnn_teacher.py',
        checkpoint='work_dirs/cascade_rcnn_teacher/iter_600.pth',
    ),
    distill_head=_base_.digit_roi_distill_head,
)
default_hooks = _base_.digit_w2s_hooks
