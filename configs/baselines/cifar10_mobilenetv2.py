"""MobileNetV2 on CIFAR-10, a teacher.

Row:     Table 1 of arXiv 2604.15451: Top-1 85.55
Command: tools/dist_train.sh configs/baselines/cifar10_mobilenetv2.py 8
Needs:   CIFAR-10 in data/cifar10
Takes:   200 epochs of 391 iterations of 128 images; not yet measured at this size
Gives:   one checkpoint an epoch; the teacher is the one whose Top-1 is nearest 85.55
         (`w2s select-teacher` lists them)
"""

_base_ = './cifar10_resnet50_sgd.py'

model = dict(
    backbone=dict(_delete_=True, type='CIFARMobileNetV2'),
    head=dict(in_channels=1280),
)
