"""RetinaNet on persons of COCO at 128 px, the baseline: the student without a teacher.

Row:     stands for the RetinaNet-R50 baseline of the paper's Table 2, on real photographs
Command: w2s train w2s_mm::small/coco_retinanet_baseline.py --seed 0
Needs:   data/coco_persons; the first command says how to write it
Takes:   about 4 minutes on one CPU core (1,000 iterations of 16 images)
Gives:   work_dirs/coco_retinanet_baseline/time_to_target.json; AP50 about 35 at the end
"""

_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', '../_base_/coco_persons.py']

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
        out_channels=48,
        add_extra_convs=False,
        num_outs=3,
        norm_cfg=dict(type='BN', requires_grad=True),
    ),
    bbox_head=dict(
        num_classes=1,
        in_channels=48,
        feat_channels=48,
        stacked_convs=2,
        norm_cfg=dict(type='BN', requires_grad=True),
        anchor_generator=dict(scales_per_octave=2, ratios=[1.0, 2.0], strides=[8, 16, 32]),
    ),
    test_cfg=dict(nms_pre=300, max_per_img=30),
)
