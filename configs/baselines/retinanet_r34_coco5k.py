"""RetinaNet-R34 on COCO train5k, a teacher.

Row:     Table 2 and Table 3 of arXiv 2604.15451: the mid checkpoint has AP50 19.5, the early one
         12.8, the late one 26.2
Command: tools/dist_train.sh configs/baselines/retinanet_r34_coco5k.py 8
Needs:   what retinanet_r50_coco5k.py needs, with torchvision's ResNet-34
Takes:   24 epochs of 313 iterations of 16 images; not yet measured at this size. The 24 epochs of
         MMDetection's 2x schedule are our guess. The paper's late checkpoint (26.2) is above the
         best of the R50 baseline (22.55), so the baseline's 12 epochs are probably too few for R34
Gives:   one checkpoint an epoch, among them the three of the paper (`w2s select-teacher` lists
         their AP50)
"""

_base_ = './retinanet_r50_coco5k.py'

model = dict(
    backbone=dict(depth=34, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet34')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
train_cfg = dict(max_epochs=24)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', begin=0, end=24, by_epoch=True, milestones=[16, 22], gamma=0.1),
]
