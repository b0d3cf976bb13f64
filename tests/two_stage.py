"""Tiny two-stage detectors, by the name of their class."""

from tests.detector_parts import DELTAS, NUM_CLASSES, RETINANET


def sampled(iou, num, add_gt):
    """Assigner and sampler of one stage of a two-stage detector."""
    return dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=iou,
            neg_iou_thr=iou,
            min_pos_iou=iou,
            match_low_quality=not add_gt,
            ignore_iof_thr=-1,
        ),
        sampler=dict(
            type='RandomSampler',
            num=num,
            pos_fraction=0.5,
            neg_pos_ub=-1,
            add_gt_as_proposals=add_gt,
        ),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    )


def roi_extractor(size):
    return dict(
        type='SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=size, sampling_ratio=0),
        out_channels=16,
        featmap_strides=[8, 16],
        finest_scale=10,
    )


BOX_HEAD = dict(
    type='Shared2FCBBoxHead',
    in_channels=16,
    fc_out_channels=16,
    roi_feat_size=7,
    num_classes=NUM_CLASSES,
    bbox_coder=DELTAS,
    reg_class_agnostic=False,
    loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    loss_bbox=dict(type='L1Loss', loss_weight=1.0),
)
PROPOSALS = dict(
    nms_pre=60, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0
)
FASTER_RCNN = {
    **{key: RETINANET[key] for key in ('data_preprocessor', 'backbone', 'neck')},
    'type': 'FasterRCNN',
    'rpn_head': dict(
        type='RPNHead',
        in_channels=16,
        feat_channels=16,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[2], ratios=[0.5, 1.0], strides=[8, 16]
        ),
        bbox_coder={**DELTAS, 'target_stds': [1.0] * 4},
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0),
    ),
    'roi_head': dict(
        type='StandardRoIHead', bbox_roi_extractor=roi_extractor(7), bbox_head=BOX_HEAD
    ),
    'train_cfg': dict(
        rpn=sampled(0.5, 32, add_gt=False),
        rpn_proposal=PROPOSALS,
        rcnn=sampled(0.5, 16, add_gt=True),
    ),
    'test_cfg': dict(
        rpn=PROPOSALS,
        rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=20),
    ),
}
CASCADE_STDS = ([0.1, 0.1, 0.2, 0.2], [0.05, 0.05, 0.1, 0.1], [0.033, 0.033, 0.067, 0.067])
TWO_STAGE = {
    'FasterRCNN': FASTER_RCNN,
    'MaskRCNN': {
        **FASTER_RCNN,
        'type': 'MaskRCNN',
        'roi_head': dict(
            **FASTER_RCNN['roi_head'],
            mask_roi_extractor=roi_extractor(7),
            mask_head=dict(
                type='FCNMaskHead',
                num_convs=1,
                in_channels=16,
                conv_out_channels=8,
                num_classes=NUM_CLASSES,
                loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
            ),
        ),
        'train_cfg': {
            **FASTER_RCNN['train_cfg'],
            'rcnn': dict(**sampled(0.5, 16, add_gt=True), mask_size=14),
        },
        'test_cfg': {
            **FASTER_RCNN['test_cfg'],
            'rcnn': dict(**FASTER_RCNN['test_cfg']['rcnn'], mask_thr_binary=0.5),
        },
    },
    'CascadeRCNN': {
        **FASTER_RCNN,
        'type': 'CascadeRCNN',
        'roi_head': dict(
            type='CascadeRoIHead',
            num_stages=3,
            stage_loss_weights=[1, 0.5, 0.25],
            bbox_roi_extractor=roi_extractor(7),
            bbox_head=[
                {
                    **BOX_HEAD,
                    'reg_class_agnostic': True,
                    'bbox_coder': {**DELTAS, 'target_stds': stds},
                }
                for stds in CASCADE_STDS
            ],
        ),
        'train_cfg': {
            **FASTER_RCNN['train_cfg'],
            'rcnn': [sampled(iou, 16, add_gt=True) for iou in (0.5, 0.6, 0.7)],
        },
    },
}
