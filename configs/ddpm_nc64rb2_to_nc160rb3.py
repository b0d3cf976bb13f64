"""DDPM nc160-rb3 <- nc64-rb2 on CIFAR-10.

Row:     Table 2 of arXiv 2604.15451: FID 60 after 12k steps, baseline after 18k (1.50x), best FID
         47.67 (baseline 53.49)
Command: tools/dist_train.sh configs/ddpm_nc64rb2_to_nc160rb3.py 8
Needs:   CIFAR-10 in data/cifar10, the Inception weights of the standard FID in data/inception, and
         the teacher:
         tools/dist_train.sh configs/baselines/ddpm_nc64rb2.py 8
Takes:   30,000 iterations of 128 images, 15 times 10,000 samples; not yet measured at this size
Gives:   work_dirs/ddpm_nc64rb2_to_nc160rb3/{time_to_target,weak_to_strong}.json for
         `w2s report --sustained`
"""

_base_ = './baselines/ddpm_nc160rb3.py'

model = dict(
    type='W2SDDPM',
    teacher=dict(
        config='w2s_mm::baselines/ddpm_nc64rb2.py',
        checkpoint='work_dirs/ddpm_nc64rb2/iter_30000.pth',
    ),
    # The paper gives the ratio and not the side: see NoiseDistillHead.
    distill_head=dict(
        type='NoiseDistillHead',
        ratio=0.5,
        side='low',
        loss=dict(type='SquaredErrorDistillLoss'),
    ),
)
# The paper gives lambda_max = 0.2 and k = 2. The lengths are our guess.
default_hooks = dict(
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='FID',
        rule='less',
        schedule=dict(
            type='WarmupHoldDecay',
            unit='training',  # fractions of the run
            lambda_max=0.2,
            warmup=0.03,
            hold=0.27,
            decay=0.2,
        ),
        stop=dict(type='SurpassGate', k=2),
    )
)
