"""DDPM nc64-rb1 on CIFAR-10, a teacher that is too weak.

Row:     Table 3 of arXiv 2604.15451
Command: tools/dist_train.sh configs/baselines/ddpm_nc64rb1.py 8
Needs:   CIFAR-10 in data/cifar10, and the Inception weights of the standard FID in data/inception
Takes:   30,000 iterations of 128 images, 15 times 10,000 samples; not yet measured at this size
Gives:   a checkpoint every 2,000 iterations; the teacher is that of iteration 30,000
         (`w2s select-teacher` lists them)
"""

_base_ = './ddpm_nc128rb3.py'

model = dict(unet=dict(channels=64, blocks=1))
