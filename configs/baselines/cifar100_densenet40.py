"""DenseNet-40 on CIFAR-100, a teacher.

Row:     Table 1 of arXiv 2604.15451: Top-1 69.70
Command: tools/dist_train.sh configs/baselines/cifar100_densenet40.py 8
Needs:   CIFAR-100 in data/cifar100
Takes:   300 epochs of 782 iterations of 64 images; not yet measured at this size
Gives:   one checkpoint an epoch; the teacher is the one whose Top-1 is nearest 69.70
         (`w2s select-teacher` lists them). The recipe is that of arXiv 1608.06993
"""

_base_ = './cifar100_resnet18_sgd.py'

model = dict(
    backbone=dict(_delete_=True, type='CIFARDenseNet', depth=40),
    head=dict(in_channels=448),
)
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=300)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4, nesterov=True))
param_scheduler = dict(milestones=[150, 225], gamma=0.1)
auto_scale_lr = dict(base_batch_size=64)
