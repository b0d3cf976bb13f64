"""ResNet-50 on ImageNet with SGD, a baseline.

Row:     Table 1 of arXiv 2604.15451: best Top-1 76.52
Command: tools/dist_train.sh configs/baselines/imagenet_resnet50_sgd.py 8
Needs:   ImageNet-1K in data/imagenet
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_resnet50_sgd/time_to_target.json (target Top-1 65). MMPretrain, whose
         recipe this is, reports 76.55
"""

_base_ = [
    'mmpretrain::resnet/resnet50_8xb32_in1k.py',
    '../_base_/imagenet.py',
]

default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[65]),
)
