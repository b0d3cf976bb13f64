"""A small ResNet on the noisy digits, the baseline: the student without a teacher.

Row:     stands for the baselines of the paper's Table 1, at a size that two CPU cores train in
         a minute. The target, Top-1 81, is 95 % of where the tuning runs (seeds 100, 101) ended,
         and was fixed before the reported runs
Command: w2s train w2s_mm::digits/classifier_baseline.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/classifier_baseline/time_to_target.json; Top-1 about 85 at the end
"""

_base_ = ['mmpretrain::_base_/models/resnet18_cifar.py', '../_base_/noisy_digits.py']

model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    head=dict(in_channels=64),
)
