"""Cascade R-CNN on the digit scenes, the baseline: the student without a teacher.

Row:     none in the paper; shows that the method works with Cascade R-CNN
Command: w2s train w2s_mm::digits/cascade_rcnn_baseline.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 9 minutes on one CPU core (1,500 iterations of 8 images)
Gives:   work_dirs/cascade_rcnn_baseline/time_to_target.json
"""

_base_ = './faster_rcnn_baseline.py'

# MMEngine leaves names with two underscores out of the config.
__head = dict(_base_.model.roi_head.bbox_head, reg_class_agnostic=True)
__coder = _base_.model.roi_head.bbox_head.bbox_coder
__rcnn = _base_.model.train_cfg.rcnn
model = dict(
    type='CascadeRCNN',
    roi_head=dict(
        type='CascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_head=[
            dict(__head, bbox_coder=dict(__coder, target_stds=stds))
            for stds in (
                [0.1, 0.1, 0.2, 0.2],
                [0.05, 0.05, 0.1, 0.1],
                [0.033, 0.033, 0.067, 0.067],
            )
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(
                __rcnn,
                assigner=dict(__rcnn.assigner, pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=iou),
            )
            for iou in (0.5, 0.6, 0.7)
        ]
    ),
)
