"""ResNet-50 on ImageNet with AdamW, a baseline.

Row:     Table 1 of arXiv 2604.15451: best Top-1 77.19
Command: tools/dist_train.sh configs/baselines/imagenet_resnet50_adamw.py 8
Needs:   ImageNet-1K in data/imagenet
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_resnet50_adamw/time_to_target.json (target Top-1 65). Learning rate,
         schedule and length are our guess: the paper gives none
"""

_base_ = './imagenet_resnet50_sgd.py'

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=5, convert_to_iter_based=True),
]
