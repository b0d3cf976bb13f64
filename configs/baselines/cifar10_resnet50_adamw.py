"""ResNet-50 on CIFAR-10 with AdamW, a baseline.

Row:     Table 1 of arXiv 2604.15451: best Top-1 93.95
Command: tools/dist_train.sh configs/baselines/cifar10_resnet50_adamw.py 8
Needs:   CIFAR-10 in data/cifar10
Takes:   200 epochs of 391 iterations of 128 images; not yet measured at this size
Gives:   work_dirs/cifar10_resnet50_adamw/time_to_target.json (target Top-1 75). Learning rate and
         schedule are our guess: the paper gives none
"""

_base_ = './cifar10_resnet50_sgd.py'

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = dict(
    _delete_=True, type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True
)
