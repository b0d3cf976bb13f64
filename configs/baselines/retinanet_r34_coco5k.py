"""RetinaNet-R34 on COCO train5k, a teacher.

Row:     Table 2 of arXiv 2604.15451: the mid checkpoint has AP50 19.5
Command: tools/dist_train.sh configs/baselines/retinanet_r34_coco5k.py 8
Needs:   what retinanet_r50_coco5k.py needs, with torchvision's ResNet-34
Takes:   12 epochs of 313 iterations of 16 images; not yet measured at this size. The number of
         epochs is our guess
Gives:   one checkpoint an epoch; a suitable teacher is up to 15 % below the finished baseline
         (`w2s select-teacher` finds it)
"""

_base_ = './retinanet_r50_coco5k.py'

model = dict(
    backbone=dict(depth=34, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet34')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
