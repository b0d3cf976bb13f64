"""Another weak teacher on the noisy digits, a DenseNet.

Row:     stands for Figure 2a of the paper
Command: w2s train w2s_mm::ablations/digits_teacher_swap_teacher.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about a minute on two CPU cores (800 iterations of 64 images)
Gives:   work_dirs/digits_teacher_swap_teacher/iter_800.pth
"""

_base_ = '../digits/classifier_teacher.py'

model = dict(
    backbone=dict(_delete_=True, type='CIFARDenseNet', depth=10, growth_rate=6),
    head=dict(in_channels=52),
)
