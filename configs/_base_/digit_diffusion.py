"""Training on the 8 px digits: 1,000 iterations of 8 images, validated every 25; no download.

FID is taken from 500 samples in 10 DDIM steps, on the features of a small classifier of the same
digits (configs/digits/fid_classifier.py), against the 1,400 digits of the training set, as is the
custom with CIFAR-10. What it offers to students was chosen on seed 100, which is not among the
reported ones: at this size the teacher is worth more weight than the paper's 0.2, and is worth
hearing at every step of the noising process.
"""

_base_ = ['mmpretrain::_base_/default_runtime.py', './w2s_generation.py']

custom_imports = dict(imports=[*_base_.custom_imports.imports, 'w2s_mm.datasets.digits'])

digits = dict(type='DigitScans', split='train', pipeline=[dict(type='PackInputs')])
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=digits,
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
    reference=digits,
    features=dict(
        type='ClassifierFeatures',
        name='digits-classifier',
        config='configs/digits/fid_classifier.py',
        checkpoint='work_dirs/fid_classifier/iter_600.pth',
        how_to_make='Type: python tools/train.py configs/digits/fid_classifier.py --seed 0',
    ),
)
test_evaluator = val_evaluator

train_cfg = dict(by_epoch=False, max_iters=1000, val_interval=25)
val_cfg = dict(type='SamplingLoop')
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.0))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False)
# Averages over about the last tenth of the training, however long that has been.
custom_hooks = [dict(type='EMAHook', ema_type='MomentumAnnealingEMA', gamma=10)]
default_hooks = dict(
    _base_.measure_hooks,
    time_to_target=dict(
        _base_.measure_hooks.time_to_target, metric='FID-digits-classifier', thresholds=[6]
    ),
    logger=dict(interval=25),
    checkpoint=dict(by_epoch=False, interval=100, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False, window_size=25)
env_cfg = dict(dist_cfg=dict(backend='gloo'))

digit_distill_head = dict(_base_.distill_head, ratio=1.0)  # no mask
digit_w2s_hooks = dict(
    weak_to_strong=dict(
        _base_.w2s_hooks.weak_to_strong,
        metric='FID-digits-classifier',
        schedule=dict(unit='iter', lambda_max=5.0, warmup=10, hold=350, decay=150),
    )
)
