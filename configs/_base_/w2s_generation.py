"""Weak-to-strong distillation with the paper's settings for generation (arXiv 2604.15451, 4.1).

For your own config of a `DDPM`. Everything is offered under one key, `w2s`, and nothing changes
until you use it:

    _base_ = ['my_ddpm.py', 'w2s_mm::_base_/w2s_generation.py']
    model = dict(type='W2SDDPM', teacher=dict(config=..., checkpoint=...),
                 distill_head=_base_.w2s.distill_head)
    default_hooks = _base_.w2s.hooks

A baseline takes `w2s.measure_hooks`.
"""

custom_imports = dict(imports=['w2s_mm.generation', 'w2s_mm.hooks'], allow_failed_imports=False)

w2s = dict(
    # The paper gives the ratio and not the side: see NoiseDistillHead.
    distill_head=dict(
        type='NoiseDistillHead',
        ratio=0.5,
        side='low',
        loss=dict(type='SquaredErrorDistillLoss'),
    ),
    hooks=dict(
        exact_resume=dict(type='ExactResumeHook'),
        time_to_target=dict(
            type='TimeToTargetHook', metric='FID', rule='less', thresholds=[60], k=2
        ),
        samples=dict(type='SampleGridHook'),
        # The paper gives lambda_max = 0.2 and k = 2. The lengths are our guess.
        weak_to_strong=dict(
            type='WeakToStrongHook',
            metric='FID',
            rule='less',
            schedule=dict(
                type='WarmupHoldDecay',
                unit='training',  # fractions of the run
                lambda_max=0.2,
                warmup=0.03,
                hold=0.27,
                decay=0.2,
            ),
            stop=dict(type='SurpassGate', k=2),
        ),
    ),
    # For baselines: only measures.
    measure_hooks=dict(
        exact_resume=dict(type='ExactResumeHook'),
        time_to_target=dict(
            type='TimeToTargetHook', metric='FID', rule='less', thresholds=[60], k=2
        ),
        samples=dict(type='SampleGridHook'),
    ),
)
