"""Weak-to-strong distillation with the paper's settings for generation (arXiv 2604.15451, 4.1).

Put it beside your own config of a `DDPM` in `_base_`; it changes nothing until you use what it
offers:

    model = dict(type='W2SDDPM', teacher=dict(config=..., checkpoint=...),
                 distill_head=_base_.distill_head)
    default_hooks = _base_.w2s_hooks
"""

custom_imports = dict(imports=['w2s_mm.generation', 'w2s_mm.hooks'], allow_failed_imports=False)

# Timestep mask of ratio 0.5; the paper leaves the side open, see NoiseDistillHead.
distill_head = dict(type='NoiseDistillHead', ratio=0.5, side='low')

# Measures first@tau, tau = FID 60, counted when it holds twice; changes no training.
measure_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='FID', rule='less', thresholds=[60], k=2),
    samples=dict(type='SampleGridHook'),
)
# lambda = 0.2, two hits in a row; the paper leaves the lengths open, here they are fractions of the
# training.
w2s_hooks = dict(
    **measure_hooks,
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='FID',
        rule='less',
        k=2,
        schedule=dict(unit='training', lambda_max=0.2, warmup=0.03, hold=0.27, decay=0.2),
    ),
)
