"""DDPM nc128-rb3 <- nc64-rb2 on CIFAR-10, grown from its teacher.

Row:     none in the paper: beyond it, the pair of Table 2 of arXiv 2604.15451 with a start. Twice
         the channels and 32 groups in both: lossless, so that the student is its teacher at first,
         and distillation ends before the first iteration
Command: tools/dist_train.sh configs/ddpm_nc64rb2_to_nc128rb3_start.py 8
Needs:   what configs/ddpm_nc64rb2_to_nc128rb3.py needs
Takes:   30,000 iterations of 128 images, 15 times 10,000 samples; not yet measured at this size
Gives:   work_dirs/ddpm_nc64rb2_to_nc128rb3_start/{time_to_target,weak_to_strong}.json for
         `w2s report --sustained`
"""

_base_ = './ddpm_nc64rb2_to_nc128rb3.py'

default_hooks = dict(start=dict(type='StartHook', how='grow'))
