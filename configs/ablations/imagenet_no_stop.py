"""Distillation to the end of the run: ResNet-50 <- ResNet-18 on ImageNet with Muon.

Row:     Figure 6b of arXiv 2604.15451
Command: tools/dist_train.sh configs/ablations/imagenet_no_stop.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   what configs/imagenet_resnet18_to_resnet50_muon.py needs
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_no_stop/{time_to_target,weak_to_strong}.json for `w2s report`; compare
         with configs/imagenet_resnet18_to_resnet50_muon.py. The ramp of T keeps the student's
         length; in version 0.1 it was stretched to the whole run
"""

_base_ = '../imagenet_resnet18_to_resnet50_muon.py'

# Neither a stop rule nor the schedule ends it.
default_hooks = dict(
    weak_to_strong=dict(
        stop=dict(_delete_=True, type='NeverStop'),
        schedule=dict(warmup=0.03, hold=0.97, decay=0.0),
    )
)
