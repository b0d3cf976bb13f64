"""DenseNet-100 on CIFAR-100 with SGD, a baseline.

Row:     Table 1 of arXiv 2604.15451: best Top-1 82.08
Command: tools/dist_train.sh configs/baselines/cifar100_densenet100_sgd.py 8
Needs:   CIFAR-100 in data/cifar100
Takes:   300 epochs of 782 iterations of 64 images; not yet measured at this size
Gives:   work_dirs/cifar100_densenet100_sgd/time_to_target.json (target Top-1 60). The recipe is
         that of arXiv 1608.06993 (k = 12, no bottleneck), which reports 79.80
"""

_base_ = './cifar100_densenet40.py'

model = dict(backbone=dict(depth=100), head=dict(in_channels=1168))
