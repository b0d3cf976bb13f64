"""The noisy digits: 1,500 iterations of 32 images, validated every 50; no download.

The recipe is MMPretrain's for CIFAR (SGD, momentum 0.9, weight decay, shifted crops) at a size that
two CPU cores train in a minute. The learning rate was chosen on seeds 100 and 101, which are
not among the reported ones; the target is 95 % of where these runs ended.
"""

_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(
    imports=['w2s_mm.classification', 'w2s_mm.hooks', 'w2s_mm.optim', 'w2s_mm.datasets.digits'],
    allow_failed_imports=False,
)

data_preprocessor = dict(num_classes=10, mean=[150.0] * 3, std=[80.0] * 3)
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='NoisyDigits',
        split='train',
        pipeline=[
            dict(type='RandomCrop', crop_size=16, padding=2, padding_mode='edge'),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=200,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='NoisyDigits',
        split='val',
        draws=5,  # 1,985 images
        test_mode=True,
        pipeline=[dict(type='PackInputs')],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator

train_cfg = dict(by_epoch=False, max_iters=1500, val_interval=50)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-4))
auto_scale_lr = dict(enable=False, base_batch_size=32)
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False)
default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[81]),
    logger=dict(interval=50),
    checkpoint=dict(by_epoch=False, interval=100, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False, window_size=50)
env_cfg = dict(dist_cfg=dict(backend='gloo'))
