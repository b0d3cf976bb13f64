"""Mask R-CNN on the digit scenes, the baseline: the student without a teacher.

Row:     none in the paper; shows that the method works with Mask R-CNN
Command: w2s train w2s_mm::digits/mask_rcnn_baseline.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   not yet measured (1,500 iterations of 8 images)
Gives:   work_dirs/mask_rcnn_baseline/time_to_target.json
"""

_base_ = './faster_rcnn_baseline.py'

train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=(64, 64), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

model = dict(
    type='MaskRCNN',
    data_preprocessor=dict(pad_mask=True),
    roi_head=dict(
        mask_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0),
            out_channels=48,
            finest_scale=12,
            featmap_strides=[4, 8],
        ),
        mask_head=dict(
            type='FCNMaskHead',
            num_convs=1,
            in_channels=48,
            conv_out_channels=48,
            num_classes=10,
            loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(mask_size=28)),
    test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)),
)
