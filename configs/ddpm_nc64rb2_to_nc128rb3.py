"""DDPM nc128-rb3 <- nc64-rb2, CIFAR-10, Table 2 of arXiv 2604.15451: 2.67x to FID 60.

Command: tools/dist_train.sh configs/ddpm_nc64rb2_to_nc128rb3.py 8
Needs:   CIFAR-10 in data/cifar10, the Inception weights of the standard FID in data/inception, and
         the teacher: tools/dist_train.sh configs/baselines/ddpm_nc64rb2.py 8
Takes:   30,000 iterations of 128 images, 15 times 10,000 samples; not yet measured at this size
Gives:   work_dirs/ddpm_nc64rb2_to_nc128rb3/{time_to_target,weak_to_strong}.json for
         tools/first_at.py --sustained (the paper: 6k steps instead of 16k, best FID 47.22 against 52.27)
"""

_base_ = './baselines/ddpm_nc128rb3.py'

model = dict(
    type='W2SDDPM',
    teacher=dict(
        config='configs/baselines/ddpm_nc64rb2.py',
        checkpoint='work_dirs/ddpm_nc64rb2/iter_30000.pth',
    ),
    distill_head=_base_.distill_head,
)
default_hooks = dict(weak_to_strong=_base_.w2s_hooks.weak_to_strong)
