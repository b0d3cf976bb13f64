"""ResNet-18 on CIFAR-100 with SGD, a baseline.

Row:     Table 1 of arXiv 2604.15451: best Top-1 78.75
Command: tools/dist_train.sh configs/baselines/cifar100_resnet18_sgd.py 8
Needs:   CIFAR-100 in data/cifar100
Takes:   200 epochs of 391 iterations of 128 images; not yet measured at this size
Gives:   work_dirs/cifar100_resnet18_sgd/time_to_target.json (target Top-1 60). The recipe is
         MMPretrain's for ResNet-50 on CIFAR-100
"""

_base_ = [
    'mmpretrain::_base_/models/resnet18_cifar.py',
    '../_base_/cifar100.py',
    'mmpretrain::_base_/schedules/cifar10_bs128.py',
    'mmpretrain::_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=100))
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
param_scheduler = dict(milestones=[60, 120, 160], gamma=0.2)
default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[60]),
)
