"""Faster R-CNN-R18 on COCO train5k, a teacher.

Row:     Table 2 of arXiv 2604.15451: teacher of Faster R-CNN-R50
Command: tools/dist_train.sh configs/baselines/faster_rcnn_r18_coco5k.py 8
Needs:   what faster_rcnn_r50_coco5k.py needs, with torchvision's ResNet-18
Takes:   12 epochs of 313 iterations of 16 images; not yet measured at this size. The 12 epochs of
         MMDetection's 1x schedule (batch, learning rate, its steps) are our guess
Gives:   one checkpoint an epoch; a suitable teacher is up to 15 % below the finished baseline
         (`w2s select-teacher` finds it)
"""

_base_ = './faster_rcnn_r50_coco5k.py'

model = dict(
    backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
