"""Weak-to-strong distillation with the paper's settings for detection (arXiv 2604.15451, 4.1).

Put it beside your own config in `_base_`; it changes nothing until you use what it offers:

    model = dict(type='W2SRetinaNet', teacher=dict(config=..., checkpoint=...),
                 distill_head=_base_.distill_head)
    default_hooks = _base_.w2s_hooks

`distill_head` is for one-stage detectors, `roi_distill_head` for two-stage ones.
"""

custom_imports = dict(imports=['w2s_mm.detection', 'w2s_mm.hooks'], allow_failed_imports=False)

# T = 2 (below), score threshold 0.2, box weight beta = 1.0
distill_head = dict(
    type='DenseDistillHead',
    loss_cls=dict(type='FocalLogitDistillLoss', score_thr=0.2),
    loss_bbox=dict(type='BoxDistillLoss', loss_weight=1.0),
)

roi_distill_head = dict(
    type='RoIDistillHead',
    loss_cls=dict(type='SoftmaxKLDistillLoss', score_thr=0.2),
    loss_bbox=dict(type='BoxDistillLoss', loss_weight=1.0),
)

# Measures first@tau, tau = AP50 20 %; for baselines too, changes no training.
measure_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='coco/bbox_mAP_50', thresholds=[0.2]),
)
# lambda = 2.0; the paper leaves the lengths open, here they are fractions of the training.
w2s_hooks = dict(
    **measure_hooks,
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='coco/bbox_mAP_50',
        temperature=2.0,
        schedule=dict(unit='training', lambda_max=2.0, warmup=0.05, hold=0.35, decay=0.3),
    ),
)
