"""RetinaNet-R50 <- R34's early checkpoint, Table 3 of arXiv 2604.15451: teacher AP50 12.8, 1.11x.

Command: tools/dist_train.sh configs/mismatch/retinanet_r34_early_to_r50.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   what retinanet_r34_to_r50.py needs, and the checkpoint of the R34 run whose AP50 is nearest
         12.8 (tools/select_teacher.py prints them all; epoch 3 is a guess until it is measured)
Takes:   12 epochs of 313 iterations; not yet measured at this size
Gives:   work_dirs/retinanet_r34_early_to_r50/{time_to_target,weak_to_strong}.json for
         tools/first_at.py
"""

_base_ = '../retinanet_r34_to_r50.py'

model = dict(teacher=dict(checkpoint='work_dirs/retinanet_r34_coco5k/epoch_3.pth'))
