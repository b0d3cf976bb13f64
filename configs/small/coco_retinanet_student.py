"""RetinaNet on persons of COCO at 128 px, with a teacher half as wide.

Row:     stands for RetinaNet-R50 <- R34 of the paper's Table 2 (1.67x), on real photographs
Command: w2s train w2s_mm::small/coco_retinanet_student.py --seed 0
Needs:   data/coco_persons; the first command says how to write it
         and the teacher: w2s train w2s_mm::small/coco_retinanet_teacher.py --seed 0
Takes:   about 4 minutes on one CPU core (1,000 iterations of 16 images)
Gives:   work_dirs/coco_retinanet_student/{time_to_target,weak_to_strong}.json for `w2s report`
"""

_base_ = './coco_retinanet_baseline.py'

model = dict(
    type='W2SRetinaNet',
    teacher=dict(
        config='w2s_mm::small/coco_retinanet_teacher.py',
        checkpoint='work_dirs/coco_retinanet_teacher/iter_1000.pth',
    ),
    distill_head=dict(
        type='DenseDistillHead',
        score_thr=0.05,
        box_form='encoded',
        loss_cls=dict(type='FocalLogitDistillLoss', focal=0.0),
        loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),
    ),
)
# Chosen on seed 100, which is not among the reported ones.
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
