"""RetinaNet student on the digit scenes, guided by the teacher a third as wide."""

_base_ = './retinanet_baseline.py'

model = dict(
    type='W2SRetinaNet',
    teacher=dict(
        config='configs/digits/retinanet_teacher.py',
        checkpoint='work_dirs/digits/retinanet_teacher/iter_600.pth',
    ),
    distill_head=_base_.distill_head,
)
default_hooks = _base_.w2s_hooks
