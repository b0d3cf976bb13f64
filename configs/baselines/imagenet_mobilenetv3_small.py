"""MobileNetV3-Small on ImageNet, a teacher that is too weak.

Row:     Table 3 of arXiv 2604.15451
Command: tools/dist_train.sh configs/baselines/imagenet_mobilenetv3_small.py 8
Needs:   ImageNet-1K in data/imagenet
Takes:   600 epochs of 1,251 iterations of 1,024 images; not yet measured at this size
Gives:   one checkpoint an epoch. MMPretrain, whose recipe this is, offers one that is done (Top-1
         66.68):
         https://mmassets.onedl.ai/mmclassification/v0/mobilenet_v3/mobilenet-v3-small_8xb128_in1k_20221114-bd1bfcde.pth
"""

_base_ = [
    'mmpretrain::mobilenet_v3/mobilenet-v3-small_8xb128_in1k.py',
    '../_base_/imagenet.py',
]

default_hooks = dict(
    exact_resume=dict(type='ExactResumeHook'),
    time_to_target=dict(type='TimeToTargetHook', metric='accuracy/top1', thresholds=[65]),
)
