"""ResNet-50 on CIFAR-10 with SGD, a baseline.

Row:     Table 1 of arXiv 2604.15451: best Top-1 95.65
Command: tools/dist_train.sh configs/baselines/cifar10_resnet50_sgd.py 8
Needs:   CIFAR-10 in data/cifar10
Takes:   200 epochs of 391 iterations of 128 images; not yet measured at this size
Gives:   work_dirs/cifar10_resnet50_sgd/time_to_target.json (target Top-1 75). The recipe is
         MMPretrain's
"""

_base_ = [
    'mmpretrain::_base_/models/resnet50_cifar.py',
    '../_base_/cifar10.py',
    'mmpretrain::_base_/schedules/cifar10_bs128.py',
    'mmpretrain::_base_/default_runtime.py',
]

default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[75]),
)
