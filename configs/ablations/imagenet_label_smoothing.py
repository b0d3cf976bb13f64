"""Label smoothing: ResNet-50 <- ResNet-18 on ImageNet with SGD.

Row:     Figure 4a of arXiv 2604.15451
Command: tools/dist_train.sh configs/ablations/imagenet_label_smoothing.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   what configs/imagenet_resnet18_to_resnet50_sgd.py needs
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_label_smoothing/{time_to_target,weak_to_strong}.json for `w2s report`;
         the baseline is imagenet_label_smoothing_baseline.py
"""

_base_ = '../imagenet_resnet18_to_resnet50_sgd.py'

model = dict(
    head=dict(
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, num_classes=1000)
    )
)
