"""RetinaNet student on the digit scenes, guided by a teacher half as wide.

Command: python tools/train.py configs/digits/retinanet_student.py --seed 0
Needs:   python tools/make_digit_scenes.py, and the teacher:
         python tools/train.py configs/digits/retinanet_teacher.py --seed 0
Takes:   about 3 minutes on two CPU cores (600 iterations of 16 images)
Gives:   work_dirs/retinanet_student/{time_to_target,weak_to_strong}.json for tools/first_at.py;
         docs/results/digits_retinanet.md has five paired seeds
Row:     stands for RetinaNet-R50 <- R34 of the paper's Table 2 (AP50 20 % in 1/1.67 of the
         epochs).
"""

_base_ = './retinanet_baseline.py'

model = dict(
    type='W2SRetinaNet',
    teacher=dict(
        config='configs/digits/retinanet_teacher.py',
        checkpoint='work_dirs/retinanet_teacher/iter_900.pth',
    ),
    distill_head=_base_.digit_distill_head,
)
default_hooks = _base_.digit_w2s_hooks
