"""RetinaNet on the digit scenes, with a teacher half as wide.

Row:     stands for RetinaNet-R50 <- R34 of the paper's Table 2 (1.67x)
Command: w2s train w2s_mm::digits/retinanet_student.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
         and the teacher: w2s train w2s_mm::digits/retinanet_teacher.py --seed 0
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/retinanet_student/{time_to_target,weak_to_strong}.json for `w2s report`;
         docs/results/digits_retinanet.md has five paired seeds
"""

_base_ = './retinanet_baseline.py'

model = dict(
    type='W2SRetinaNet',
    teacher=dict(
        config='w2s_mm::digits/retinanet_teacher.py',
        checkpoint='work_dirs/retinanet_teacher/iter_1500.pth',
    ),
    # The teacher is small and unsure: its best score on a true digit is 0.26 on average. The
    # paper's threshold of 0.2 would leave almost no prior. Soft BCE (focal = 0) with T = 4 keeps
    # its gradient where student and teacher nearly agree.
    distill_head=dict(
        type='DenseDistillHead',
        score_thr=0.05,
        box_form='encoded',
        loss_cls=dict(type='FocalLogitDistillLoss', focal=0.0),
        loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),
    ),
)
# The paper has lambda_max = 2 and T = 2. These values were chosen on seeds 100 and 101, which are
# not among the reported ones.
default_hooks = dict(
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='coco/bbox_mAP_50',
        schedule=dict(
            type='WarmupHoldDecay',
            unit='training',
            lambda_max=0.5,
            warmup=0.03,
            hold=0.65,
            decay=0.2,
        ),
        temperature=4.0,
        stop=dict(type='SurpassGate', k=2),
    )
)
