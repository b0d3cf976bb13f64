"""FCOS on the digit scenes, the baseline: the student without a teacher.

Row:     none in the paper; shows that the method works with FCOS
Command: w2s train w2s_mm::digits/fcos_baseline.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 5 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/fcos_baseline/time_to_target.json
"""

_base_ = './retinanet_baseline.py'

model = dict(
    type='FCOS',
    bbox_head=dict(
        _delete_=True,
        type='FCOSHead',
        num_classes=10,
        in_channels=48,
        feat_channels=48,
        stacked_convs=2,
        norm_cfg=dict(type='BN', requires_grad=True),
        strides=[4, 8, 16],
        regress_ranges=((-1, 12), (12, 24), (24, 1e8)),
        center_sampling=True,
        norm_on_bbox=True,
        centerness_on_reg=True,
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
    ),
)
