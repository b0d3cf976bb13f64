"""RetinaNet on the digit scenes, started from the neck outputs and the head of a weaker model.

Row:     none in the paper; stands for RetinaNet-R50 <- R34 of its Table 2 with a start in place of
         distillation
Command: w2s train w2s_mm::digits/retinanet_start.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
         and the weaker model: w2s train w2s_mm::digits/retinanet_half_backbone.py --seed 0
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/retinanet_start/time_to_target.json for `w2s report`
"""

_base_ = './retinanet_baseline.py'

default_hooks = dict(
    start=dict(
        type='StartHook',
        how='inherit',
        parts=['neck.fpn_convs', 'bbox_head'],
        config='w2s_mm::digits/retinanet_half_backbone.py',
        checkpoint='work_dirs/retinanet_half_backbone/iter_1500.pth',
    )
)
