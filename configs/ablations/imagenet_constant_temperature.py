"""A constant temperature of 2: ResNet-50 <- ResNet-18 on ImageNet with Muon.

Row:     none in the paper, whose Table 1 uses T from 6 to 1
Command: tools/dist_train.sh configs/ablations/imagenet_constant_temperature.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   what configs/imagenet_resnet18_to_resnet50_muon.py needs
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_constant_temperature/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with configs/imagenet_resnet18_to_resnet50_muon.py
"""

_base_ = '../imagenet_resnet18_to_resnet50_muon.py'

default_hooks = dict(weak_to_strong=dict(temperature=2.0))
