"""Weak-to-strong distillation with the paper's settings for classification (arXiv 2604.15451, 4.1).

Put it beside your own MMPretrain config in `_base_`; it changes nothing until you use what it
offers:

    model = dict(type='W2SImageClassifier', teacher=dict(config=..., checkpoint=...),
                 distill_head=_base_.distill_head)
    default_hooks = _base_.w2s_hooks
"""

custom_imports = dict(
    imports=['w2s_mm.classification', 'w2s_mm.hooks', 'w2s_mm.optim'], allow_failed_imports=False
)

# Forward KL, T(u) from 6 to 1 over the length of the schedule.
distill_head = dict(type='LogitDistillHead')

# Measures first@tau, tau = Top-1 65 (ResNet-50, ImageNet); for baselines too, changes no training.
measure_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[65]),
)
# The paper leaves lambda and the lengths open. Here they are fractions of the training and add up
# to 0.35, as its Figure 5 follows the distillation term over the first 35 epochs.
w2s_hooks = dict(
    **measure_hooks,
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='accuracy/top1',
        temperature=dict(start=6, end=1),
        schedule=dict(unit='training', lambda_max=1.0, warmup=0.03, hold=0.17, decay=0.15),
    ),
)
