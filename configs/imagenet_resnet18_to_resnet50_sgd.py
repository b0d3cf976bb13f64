"""ResNet-50 <- ResNet-18, ImageNet, SGD; Table 1 of arXiv 2604.15451: 1.62x to Top-1 65.

Command: tools/dist_train.sh configs/imagenet_resnet18_to_resnet50_sgd.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   ImageNet-1K in data/imagenet, and a teacher checkpoint of
         configs/baselines/imagenet_resnet18.py (the paper's: Top-1 70.73), trained or fetched as
         its docstring says
Takes:   100 epochs of 5,005 iterations of 256 images; not yet measured at this size
Gives:   work_dirs/imagenet_resnet18_to_resnet50_sgd/{time_to_target,weak_to_strong}.json for
         tools/first_at.py (the paper: 1.62x earlier, best Top-1 76.81 against 76.52)
"""

_base_ = './baselines/imagenet_resnet50_sgd.py'

model = dict(
    type='W2SImageClassifier',
    teacher=dict(
        config='configs/baselines/imagenet_resnet18.py',
        checkpoint='work_dirs/imagenet_resnet18/epoch_100.pth',
    ),
    distill_head=_base_.distill_head,
)
default_hooks = dict(weak_to_strong=_base_.w2s_hooks.weak_to_strong)
