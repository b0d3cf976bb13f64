"""Faster R-CNN on persons of COCO at 128 px, the baseline: the student without a teacher.

Row:     stands for the Faster R-CNN-R50 baseline of the paper's Table 2, on real photographs
Command: w2s train w2s_mm::small/coco_faster_rcnn_baseline.py --seed 0
Needs:   data/coco_persons; the first command says how to write it
Takes:   about 5 minutes on one CPU core (1,000 iterations of 8 images)
Gives:   work_dirs/coco_faster_rcnn_baseline/time_to_target.json
"""

_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', '../_base_/coco_persons.py']

model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        stem_channels=16,
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(
        in_channels=[16, 32, 64, 128],
        start_level=1,
        out_channels=48,
        num_outs=3,
        norm_cfg=dict(type='BN', requires_grad=True),
    ),
    rpn_head=dict(
        in_channels=48,
        feat_channels=48,
        anchor_generator=dict(scales=[4, 5.6], ratios=[1.0, 2.0], strides=[8, 16, 32]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=48, finest_scale=32, featmap_strides=[8, 16, 32]),
        bbox_head=dict(in_channels=48, fc_out_channels=128, num_classes=1),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=300, max_per_img=100),
        rcnn=dict(sampler=dict(num=32)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(max_per_img=30)),
)
train_dataloader = dict(batch_size=8)
auto_scale_lr = dict(base_batch_size=8)
