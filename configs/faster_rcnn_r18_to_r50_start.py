"""Faster R-CNN-R50 <- R18 on COCO train5k, which also starts from its teacher's weights.

Row:     none in the paper: beyond it, the pair of Table 2 of arXiv 2604.15451 with a start. The
         teacher's FPN outputs, RPN and box head have the student's shapes; with its own weights
         they are mixed half and half
Command: tools/dist_train.sh configs/faster_rcnn_r18_to_r50_start.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   what configs/faster_rcnn_r18_to_r50.py needs
Takes:   12 epochs of 313 iterations of 16 images; not yet measured at this size. The 12 epochs of
         MMDetection's 1x schedule (batch, learning rate, its steps) are our guess
Gives:   work_dirs/faster_rcnn_r18_to_r50_start/{time_to_target,weak_to_strong}.json for
         `w2s report`; with model.gamma=0 the start alone (docs/start.md)
"""

_base_ = './faster_rcnn_r18_to_r50.py'

default_hooks = dict(
    start=dict(
        type='StartHook',
        how='inherit',
        parts=['neck.fpn_convs', 'rpn_head', 'roi_head'],
        keep=0.5,
    )
)
