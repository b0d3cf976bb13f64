"""RetinaNet-R50 <- an early checkpoint of RetinaNet-R34 on COCO train5k.

Row:     Table 3 of arXiv 2604.15451: 1.11x with a teacher of AP50 12.8
Command: tools/dist_train.sh configs/mismatch/retinanet_r34_early_to_r50.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   what configs/retinanet_r34_to_r50.py needs, with the checkpoint whose AP50 is nearest 12.8
         (`w2s select-teacher` lists them; epoch 7 is our guess)
Takes:   12 epochs of 313 iterations of 16 images; not yet measured at this size. The 12 epochs of
         MMDetection's 1x schedule (batch, learning rate, its steps) are our guess
Gives:   work_dirs/retinanet_r34_early_to_r50/{time_to_target,weak_to_strong}.json for `w2s report`
"""

_base_ = '../retinanet_r34_to_r50.py'

model = dict(teacher=dict(checkpoint='work_dirs/retinanet_r34_coco5k/epoch_7.pth'))
