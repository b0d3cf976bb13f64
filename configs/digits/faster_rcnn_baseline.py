"""Faster R-CNN on the digit scenes, the baseline: the student without a teacher.

Row:     stands for the Faster R-CNN-R50 baseline of the paper's Table 2, at a size that two CPU
         cores train in minutes. The target, AP50 47, is 95 % of where the
         tuning run (seed 100) ended, and was fixed before the reported runs
Command: w2s train w2s_mm::digits/faster_rcnn_baseline.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 5 minutes on one CPU core (1,500 iterations of 8 images)
Gives:   work_dirs/faster_rcnn_baseline/time_to_target.json; AP50 about 64 at the end
"""

_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', '../_base_/digit_training.py']

default_hooks = dict(time_to_target=dict(thresholds=[0.47]))
model = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        base_channels=16,
        stem_channels=16,
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(
        in_channels=[16, 32, 64],
        out_channels=48,
        num_outs=3,
        norm_cfg=dict(type='BN', requires_grad=True),
    ),
    rpn_head=dict(
        in_channels=48,
        feat_channels=48,
        anchor_generator=dict(scales=[3], ratios=[1.0, 2.0], strides=[4, 8, 16]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=48, finest_scale=12, featmap_strides=[4, 8]),
        bbox_head=dict(in_channels=48, fc_out_channels=128, num_classes=10),
    ),
    # A scene has at most three digits.
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=300, max_per_img=100),
        rcnn=dict(sampler=dict(num=32)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(max_per_img=30)),
)
train_dataloader = dict(batch_size=8)
auto_scale_lr = dict(base_batch_size=8)
