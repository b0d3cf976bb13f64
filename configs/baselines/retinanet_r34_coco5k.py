"""RetinaNet-R34, the weak teacher of the paper's Table 2 (its mid checkpoint: AP50 19.5).

Command: tools/dist_train.sh configs/baselines/retinanet_r34_coco5k.py 8
Needs:   what retinanet_r50_coco5k.py needs, with torchvision's ResNet-34
Takes:   12 epochs of 313 iterations; not yet measured at this size
Gives:   one checkpoint an epoch; the teacher is the one up to 15 % below the finished baseline
"""

_base_ = './retinanet_r50_coco5k.py'

model = dict(
    backbone=dict(depth=34, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet34')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
