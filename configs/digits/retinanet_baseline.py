"""RetinaNet on the digit scenes, the baseline: the student without a teacher.

Row:     stands for the RetinaNet-R50 baseline of the paper's Table 2, at a size that two CPU cores
         train in minutes. The target, AP50 57, is 95 % of where the tuning
         run (seed 100) ended, and was fixed before the reported runs
Command: w2s train w2s_mm::digits/retinanet_baseline.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/retinanet_baseline/time_to_target.json; AP50 about 63 at the end
"""

_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', '../_base_/digit_training.py']

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
        start_level=0,
        add_extra_convs=False,
        num_outs=3,
        norm_cfg=dict(type='BN', requires_grad=True),
    ),
    bbox_head=dict(
        num_classes=10,
        in_channels=48,
        feat_channels=48,
        stacked_convs=2,
        norm_cfg=dict(type='BN', requires_grad=True),
        anchor_generator=dict(scales_per_octave=2, ratios=[1.0], strides=[4, 8, 16]),
    ),
    test_cfg=dict(nms_pre=100, max_per_img=20),  # a scene has at most three digits
)
default_hooks = dict(time_to_target=dict(thresholds=[0.57]))
