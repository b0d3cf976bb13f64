"""KL(student || teacher): ResNet-50 <- ResNet-18 on ImageNet with Muon.

Row:     Figure 4b of arXiv 2604.15451
Command: tools/dist_train.sh configs/ablations/imagenet_reverse_kl.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   what configs/imagenet_resnet18_to_resnet50_muon.py needs
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_reverse_kl/{time_to_target,weak_to_strong}.json for `w2s report`;
         compare with configs/imagenet_resnet18_to_resnet50_muon.py
"""

_base_ = '../imagenet_resnet18_to_resnet50_muon.py'

model = dict(distill_head=dict(loss=dict(type='KLDistillLoss', reverse=True)))
