"""Label smoothing: ResNet-50 on ImageNet with SGD, the baseline.

Row:     Figure 4a of arXiv 2604.15451
Command: tools/dist_train.sh configs/ablations/imagenet_label_smoothing_baseline.py 8
Needs:   ImageNet-1K in data/imagenet
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_label_smoothing_baseline/time_to_target.json (target Top-1 65). The
         paper tries several values and names none: 0.1 is our guess
"""

_base_ = '../baselines/imagenet_resnet50_sgd.py'

model = dict(
    head=dict(
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, num_classes=1000)
    )
)
