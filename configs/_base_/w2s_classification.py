"""Weak-to-strong distillation with the paper's settings for classification (arXiv 2604.15451, 4.1).

For your own MMPretrain config. Everything is offered under one key, `w2s`, and nothing changes
until you use it:

    _base_ = ['mmpretrain::resnet/resnet50_8xb32_in1k.py', 'w2s_mm::_base_/w2s_classification.py']
    model = dict(type='W2SImageClassifier', teacher=dict(config=..., checkpoint=...),
                 distill_head=_base_.w2s.distill_head)
    default_hooks = _base_.w2s.hooks

A baseline takes `w2s.measure_hooks`.
"""

custom_imports = dict(
    imports=['w2s_mm.classification', 'w2s_mm.hooks', 'w2s_mm.optim'], allow_failed_imports=False
)

w2s = dict(
    distill_head=dict(type='LogitDistillHead', loss=dict(type='KLDistillLoss')),
    hooks=dict(
        exact_resume=dict(type='ExactResumeHook'),
        time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[65]),
        # The paper gives T from 6 to 1 and k = 2. The rest is our guess: lambda_max, and lengths
        # that add up to 0.35, as Figure 5 follows the term over the first 35 epochs.
        weak_to_strong=dict(
            type='WeakToStrongHook',
            metric='accuracy/top1',
            schedule=dict(
                type='WarmupHoldDecay',
                unit='training',  # fractions of the run
                lambda_max=1.0,
                warmup=0.03,
                hold=0.17,
                decay=0.15,
            ),
            temperature=dict(start=6, end=1, length=0.35, unit='training'),
            stop=dict(type='SurpassGate', k=2),
        ),
    ),
    # For baselines: only measures.
    measure_hooks=dict(
        exact_resume=dict(type='ExactResumeHook'),
        time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[65]),
    ),
)
