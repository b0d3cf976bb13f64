"""Faster R-CNN-R18, the weak teacher of the paper's Table 2.

Command: tools/dist_train.sh configs/baselines/faster_rcnn_r18_coco5k.py 8
Needs:   what faster_rcnn_r50_coco5k.py needs, with torchvision's ResNet-18
Takes:   12 epochs of 313 iterations; not yet measured at this size
Gives:   one checkpoint an epoch; the teacher is the one up to 15 % below the finished baseline
         (tools/select_teacher.py finds it)
"""

_base_ = './faster_rcnn_r50_coco5k.py'

model = dict(
    backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
