"""RetinaNet-R50 <- R34's mid checkpoint, Table 3 of arXiv 2604.15451: teacher AP50 19.5, 1.67x.

Command: tools/dist_train.sh configs/mismatch/retinanet_r34_mid_to_r50.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   what retinanet_r34_to_r50.py needs, and the checkpoint of the R34 run whose AP50 is nearest
         19.5 (tools/select_teacher.py prints them all; epoch 8 is a guess until it is measured)
Takes:   12 epochs of 313 iterations; not yet measured at this size
Gives:   work_dirs/retinanet_r34_mid_to_r50/{time_to_target,weak_to_strong}.json for
         tools/first_at.py
"""

_base_ = '../retinanet_r34_to_r50.py'

model = dict(teacher=dict(checkpoint='work_dirs/retinanet_r34_coco5k/epoch_8.pth'))
