"""GFL on the digit scenes, the baseline: the student without a teacher.

Row:     none in the paper; shows that the method works with GFL
Command: w2s train w2s_mm::digits/gfl_baseline.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 5 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/gfl_baseline/time_to_target.json
"""

_base_ = './atss_baseline.py'

model = dict(
    type='GFL',
    bbox_head=dict(
        _delete_=True,
        type='GFLHead',
        num_classes=10,
        in_channels=48,
        feat_channels=48,
        stacked_convs=2,
        norm_cfg=dict(type='BN', requires_grad=True),
        reg_max=8,
        anchor_generator=_base_.model.bbox_head.anchor_generator,
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_dfl=dict(type='DistributionFocalLoss', loss_weight=0.25),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
)
