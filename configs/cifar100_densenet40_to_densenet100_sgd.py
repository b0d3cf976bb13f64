"""DenseNet-100 <- DenseNet-40 on CIFAR-100 with SGD.

Row:     Table 1 of arXiv 2604.15451: 1.83x to Top-1 60, best Top-1 82.51 (baseline 82.08)
Command: tools/dist_train.sh configs/cifar100_densenet40_to_densenet100_sgd.py 8 \
             --cfg-options model.teacher.checkpoint=PATH
Needs:   CIFAR-100 in data/cifar100, and the checkpoint of configs/baselines/cifar100_densenet40.py
         whose Top-1 is nearest 69.70 (`w2s select-teacher` lists them; epoch 160 is our guess)
Takes:   300 epochs of 782 iterations of 64 images; not yet measured at this size
Gives:   work_dirs/cifar100_densenet40_to_densenet100_sgd/{time_to_target,weak_to_strong}.json for
         `w2s report`
"""

_base_ = './baselines/cifar100_densenet100_sgd.py'

model = dict(
    type='W2SImageClassifier',
    teacher=dict(
        config='w2s_mm::baselines/cifar100_densenet40.py',
        checkpoint='work_dirs/cifar100_densenet40/epoch_160.pth',  # the epoch is our guess
    ),
    distill_head=dict(type='LogitDistillHead', loss=dict(type='KLDistillLoss')),
)
# The paper gives T from 6 to 1 and k = 2. The rest is our guess: lambda_max, and lengths that add
# up to 0.35, as Figure 5 follows the term over the first 35 epochs.
default_hooks = dict(
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='accuracy/top1',
        schedule=dict(
            type='WarmupHoldDecay',
            unit='training',  # fractions of the run
            lambda_max=1.0,
            warmup=0.03,
            hold=0.17,
            decay=0.15,
        ),
        temperature=dict(start=6, end=1, length=0.35, unit='training'),
        stop=dict(type='SurpassGate', k=2),
    )
)
