"""DDPM nc160-rb3 on CIFAR-10, a baseline.

Row:     Table 2 of arXiv 2604.15451: FID 60 after 18k steps, best FID 53.49
Command: tools/dist_train.sh configs/baselines/ddpm_nc160rb3.py 8
Needs:   CIFAR-10 in data/cifar10, and the Inception weights of the standard FID in data/inception
Takes:   30,000 iterations of 128 images, 15 times 10,000 samples; not yet measured at this size
Gives:   work_dirs/ddpm_nc160rb3/time_to_target.json (target FID 60)
"""

_base_ = './ddpm_nc128rb3.py'

model = dict(unet=dict(channels=160, blocks=3))
