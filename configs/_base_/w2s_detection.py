"""Weak-to-strong distillation with the paper's settings for detection (arXiv 2604.15451, 4.1).

For your own config. Everything is offered under one key, `w2s`, and nothing changes until you use
it:

    _base_ = ['mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'w2s_mm::_base_/w2s_detection.py']
    model = dict(type='W2SRetinaNet', teacher=dict(config=..., checkpoint=...),
                 distill_head=_base_.w2s.distill_head)
    default_hooks = _base_.w2s.hooks

`w2s.roi_distill_head` is for two-stage detectors, `w2s.softmax_distill_head` for one-stage detectors
with a background class (SSD, YOLACT). A baseline takes `w2s.measure_hooks`.
"""

custom_imports = dict(imports=['w2s_mm.detection', 'w2s_mm.hooks'], allow_failed_imports=False)

w2s = dict(
    distill_head=dict(
        type='DenseDistillHead',
        score_thr=0.2,
        box_form='encoded',
        loss_cls=dict(type='FocalLogitDistillLoss', focal=2.0),
        loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),  # beta
    ),
    softmax_distill_head=dict(
        type='DenseDistillHead',
        score_thr=0.2,
        box_form='encoded',
        loss_cls=dict(type='KLDistillLoss'),
        loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),  # beta
    ),
    roi_distill_head=dict(
        type='RoIDistillHead',
        score_thr=0.2,
        box_form='encoded',
        loss_cls=dict(type='KLDistillLoss'),
        loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),  # beta
        loss_rpn=None,
    ),
    hooks=dict(
        exact_resume=dict(type='ExactResumeHook'),
        time_to_target=dict(type='TimeToTargetHook', metric='coco/bbox_mAP_50', thresholds=[0.2]),
        # The paper gives lambda_max = 2, T = 2 and k = 2. The lengths are our guess.
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
        ),
    ),
    # For baselines: only measures.
    measure_hooks=dict(
        exact_resume=dict(type='ExactResumeHook'),
        time_to_target=dict(type='TimeToTargetHook', metric='coco/bbox_mAP_50', thresholds=[0.2]),
    ),
)
