"""RetinaNet-R50 <- RetinaNet-R34 on COCO train5k.

Row:     Table 2 of arXiv 2604.15451: AP50 20 % in epoch 6, baseline in 10 (1.67x), best AP50 30.67
         (baseline 22.55); also the "mid" row of Table 3, teacher AP50 19.5
Command: tools/dist_train.sh configs/retinanet_r34_to_r50.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   COCO 2017 and its split (tools/make_coco_split.py), torchvision's ResNet-50, and the
         checkpoint of configs/baselines/retinanet_r34_coco5k.py whose AP50 is nearest 19.5
         (`w2s select-teacher` lists them; epoch 15 is our guess)
Takes:   12 epochs of 313 iterations of 16 images; not yet measured at this size. The 12 epochs of
         MMDetection's 1x schedule (batch, learning rate, its steps) are our guess
Gives:   work_dirs/retinanet_r34_to_r50/{time_to_target,weak_to_strong}.json for `w2s report`
"""

_base_ = './baselines/retinanet_r50_coco5k.py'

model = dict(
    type='W2SRetinaNet',
    teacher=dict(
        config='w2s_mm::baselines/retinanet_r34_coco5k.py',
        checkpoint='work_dirs/retinanet_r34_coco5k/epoch_15.pth',  # the epoch is our guess
    ),
    distill_head=dict(
        type='DenseDistillHead',
        score_thr=0.2,
        box_form='encoded',
        loss_cls=dict(type='FocalLogitDistillLoss', focal=2.0),
        loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),  # beta
    ),
)
# The paper gives lambda_max = 2, T = 2 and k = 2. The lengths are our guess.
default_hooks = dict(
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='coco/bbox_mAP_50',
        schedule=dict(
            type='WarmupHoldDecay',
            unit='training',  # fractions of the run
            lambda_max=2.0,
            warmup=0.05,
            hold=0.35,
            decay=0.3,
        ),
        temperature=2.0,
        stop=dict(type='SurpassGate', k=2),
    )
)
