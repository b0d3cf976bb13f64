"""What the tiny detectors of the tests are made of."""

NUM_CLASSES = 3
BOX_LOSSES = {
    'l1': dict(loss_bbox=dict(type='mmdet.L1Loss')),
    'giou': dict(loss_bbox=dict(type='mmdet.GIoULoss'), box_form='corners'),
    None: {},
}
RETINANET = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=8,
        stem_channels=8,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
    ),
    neck=dict(type='FPN', in_channels=[16, 32], out_channels=16, num_outs=2),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=NUM_CLASSES,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        anchor_generator=dict(
            type='AnchorGenerator',
            octave_base_scale=2,
            scales_per_octave=1,
            ratios=[0.5, 1.0],
            strides=[8, 16],
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]
        ),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0),
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.4,
            min_pos_iou=0,
            ignore_iof_thr=-1,
        ),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=100,
    ),
)

DELTAS = dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2])
GROUPS = dict(type='GN', num_groups=4, requires_grad=True)
ONE_ANCHOR = dict(
    type='AnchorGenerator',
    octave_base_scale=2,
    scales_per_octave=1,
    ratios=[1.0],
    strides=[8, 16],
)
QUALITY = dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0)
CENTERNESS = dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0)
TOWER = dict(num_classes=NUM_CLASSES, in_channels=16, feat_channels=16, stacked_convs=1)


def one_stage(family, assigner, train=None, **head):
    """The tiny RetinaNet with another head; ``train`` is added to its ``train_cfg``."""
    train_cfg = dict(assigner=assigner, allowed_border=-1, pos_weight=-1, debug=False)
    train_cfg.update(train or {})
    return {**RETINANET, 'type': family, 'bbox_head': {**TOWER, **head}, 'train_cfg': train_cfg}
