"""Another student on the noisy digits, a DenseNet, alone; for the swap of Figure 2b of the paper.

Command: python tools/train.py configs/ablations/digits_student_swap_baseline.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_student_swap_baseline/time_to_target.json
"""

_base_ = '../digits/classifier_baseline.py'

model = dict(
    backbone=dict(_delete_=True, type='CIFARDenseNet', depth=16, growth_rate=8),
    head=dict(in_channels=112),
)
