"""RTMDet on the digit scenes, the baseline: the student without a teacher.

Row:     none in the paper; shows that the method works with RTMDet
Command: w2s train w2s_mm::digits/rtmdet_baseline.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 5 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/rtmdet_baseline/time_to_target.json
"""

_base_ = './retinanet_baseline.py'

model = dict(
    type='RTMDet',
    bbox_head=dict(
        _delete_=True,
        type='RTMDetHead',
        num_classes=10,
        in_channels=48,
        feat_channels=48,
        stacked_convs=2,
        norm_cfg=dict(type='BN', requires_grad=True),
        with_objectness=False,
        anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[4, 8, 16]),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    train_cfg=dict(
        _delete_=True,
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13),
        allowed_border=-1,
        pos_weight=-1,
    ),
)
