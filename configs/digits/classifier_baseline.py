"""Classifier baseline on the noisy digits: the student's own training, without a teacher.

Command: python tools/train.py configs/digits/classifier_baseline.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/classifier_baseline/time_to_target.json; Top-1 about 82 at the end
Row:     stands for the baseline rows of the paper's Table 1 at a size that two CPU cores train in
         seconds; its target is Top-1 65, fixed before the reported runs.
"""

_base_ = ['mmpretrain::_base_/models/resnet18_cifar.py', '../_base_/noisy_digits.py']

model = dict(
    backbone=dict(stem_channels=8, base_channels=8),
    head=dict(in_channels=64),
)
