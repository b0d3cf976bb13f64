"""Faster R-CNN-R50 <- R18 on COCO, Table 2 of arXiv 2604.15451: AP50 20 % in epoch 3, not 4.

Command: tools/dist_train.sh configs/faster_rcnn_r18_to_r50.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   COCO 2017 (tools/make_coco_split.py says where), torchvision's ResNet-50, and a teacher
         checkpoint of configs/baselines/faster_rcnn_r18_coco5k.py
Takes:   12 epochs of 313 iterations; not yet measured at this size
Gives:   work_dirs/faster_rcnn_r18_to_r50/{time_to_target,weak_to_strong}.json for
         tools/first_at.py (the paper: 1.33x earlier, best AP50 36.72 against 35.97)
"""

_base_ = './baselines/faster_rcnn_r50_coco5k.py'

model = dict(
    type='W2SFasterRCNN',
    teacher=dict(
        config='configs/baselines/faster_rcnn_r18_coco5k.py',
        checkpoint='work_dirs/faster_rcnn_r18_coco5k/epoch_12.pth',
    ),
    distill_head=_base_.roi_distill_head,
)
default_hooks = _base_.w2s_hooks
