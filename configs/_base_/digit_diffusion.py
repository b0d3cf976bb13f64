"""The 8 px digits: 2,000 iterations of 8 images, validated every 80; no download.

FID is computed from 500 samples in 10 DDIM steps, on the features of a small classifier of the same
digits (digits/fid_classifier.py), against the 1,400 digits of the training set, as is usual with
CIFAR-10. The target, FID 2.3, is where the tuning run (seed 100) ended divided by 0.95.
"""

_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(
    imports=['w2s_mm.generation', 'w2s_mm.hooks', 'w2s_mm.datasets.digits'],
    allow_failed_imports=False,
)

train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='DigitScans', split='train', pipeline=[dict(type='PackInputs')]),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(type='SamplingSeeds', count=500),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='FID',
    reference=dict(type='DigitScans', split='train', pipeline=[dict(type='PackInputs')]),
    features=dict(
        type='ClassifierFeatures',
        name='digits-classifier',
        config='w2s_mm::digits/fid_classifier.py',
        checkpoint='work_dirs/fid_classifier/iter_600.pth',
        how_to_make='Run: w2s train w2s_mm::digits/fid_classifier.py --seed 0',
    ),
)
test_evaluator = val_evaluator

train_cfg = dict(by_epoch=False, max_iters=2000, val_interval=80)
val_cfg = dict(type='SamplingLoop')
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.0))
auto_scale_lr = dict(enable=False, base_batch_size=8)
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False)
# Averages over about the last tenth of the iterations so far.
custom_hooks = [dict(type='EMAHook', ema_type='MomentumAnnealingEMA', gamma=10)]
default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(
        type='TimeToTargetHook',
        metric='FID-digits-classifier',
        rule='less',
        thresholds=[2.3],
        k=2,
    ),
    samples=dict(type='SampleGridHook'),
    logger=dict(interval=100),
    checkpoint=dict(by_epoch=False, interval=100, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False, window_size=100)
env_cfg = dict(dist_cfg=dict(backend='gloo'))
