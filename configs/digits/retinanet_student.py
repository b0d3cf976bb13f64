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
    # So small a teacher is never sure of itself: on true digits its best score is 0.26 in the
    # mean, and the paper's threshold of 0.2 would leave it two priors an image to speak about.
    # Plain soft BCE (focal=0) at T = 4 keeps pulling where the two nearly agree. All of it was
    # chosen on seeds 100 and 101, which are not among the reported ones.
    distill_head=dict(
        _base_.distill_head,
        loss_cls=dict(_base_.distill_head.loss_cls, score_thr=0.05, focal=0.0),
    ),
)
default_hooks = dict(
    weak_to_strong=dict(
        _base_.w2s_hooks.weak_to_strong,
        temperature=4.0,
        schedule=dict(unit='iter', lambda_max=0.5, warmup=20, hold=190, decay=110),
    )
)
