"""DenseNet-100 <- DenseNet-40, CIFAR-100, SGD; Table 1 of arXiv 2604.15451: 1.83x to Top-1 60.

Command: tools/dist_train.sh configs/cifar100_densenet40_to_densenet100_sgd.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   CIFAR-100 in data/cifar100, and the checkpoint of configs/baselines/cifar100_densenet40.py
         whose Top-1 is nearest 69.70 (tools/select_teacher.py prints them all; epoch 160 is a guess
         until it is measured)
Takes:   300 epochs of 782 iterations of 64 images; not yet measured at this size
Gives:   work_dirs/cifar100_densenet40_to_densenet100_sgd/{time_to_target,weak_to_strong}.json for
         tools/first_at.py (the paper: 1.83x earlier, best Top-1 82.51 against 82.08)
"""

_base_ = './baselines/cifar100_densenet100_sgd.py'

model = dict(
    type='W2SImageClassifier',
    teacher=dict(
        config='configs/baselines/cifar100_densenet40.py',
        checkpoint='work_dirs/cifar100_densenet40/epoch_160.pth',
    ),
    distill_head=_base_.distill_head,
)
default_hooks = dict(weak_to_strong=_base_.w2s_hooks.weak_to_strong)
