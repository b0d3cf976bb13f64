"""DDPM nc128-rb3 <- nc64-rb3 on CIFAR-10: a teacher that is too strong.

Row:     Table 3 of arXiv 2604.15451: FID 60 after 16k steps, as the baseline (1.00x)
Command: tools/dist_train.sh configs/mismatch/ddpm_nc64rb3_to_nc128rb3.py 8
Needs:   CIFAR-10 in data/cifar10, the Inception weights of the standard FID in data/inception, and
         the teacher:
         tools/dist_train.sh configs/baselines/ddpm_nc64rb3.py 8
Takes:   30,000 iterations of 128 images, 15 times 10,000 samples; not yet measured at this size
Gives:   work_dirs/ddpm_nc64rb3_to_nc128rb3/{time_to_target,weak_to_strong}.json for
         `w2s report --sustained`
"""

_base_ = '../ddpm_nc64rb2_to_nc128rb3.py'

model = dict(
    teacher=dict(
        config='w2s_mm::baselines/ddpm_nc64rb3.py',
        checkpoint='work_dirs/ddpm_nc64rb3/iter_30000.pth',
    )
)
