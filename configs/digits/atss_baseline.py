"""ATSS on the digit scenes, the baseline: the student without a teacher.

Row:     none in the paper; shows that the method works with ATSS
Command: w2s train w2s_mm::digits/atss_baseline.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 5 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/atss_baseline/time_to_target.json
"""

_base_ = './retinanet_baseline.py'

model = dict(
    type='ATSS',
    bbox_head=dict(
        _delete_=True,
        type='ATSSHead',
        num_classes=10,
        in_channels=48,
        feat_channels=48,
        stacked_convs=2,
        norm_cfg=dict(type='BN', requires_grad=True),
        anchor_generator=dict(
            type='AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=4,
            scales_per_octave=1,
            strides=[4, 8, 16],
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]
        ),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    train_cfg=dict(
        _delete_=True, assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1
    ),
)
