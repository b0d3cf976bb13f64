"""Another student on the noisy digits, a DenseNet, without a teacher.

Row:     stands for Figure 2b of the paper
Command: w2s train w2s_mm::ablations/digits_student_swap_baseline.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about 2 minutes on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_student_swap_baseline/time_to_target.json
"""

_base_ = '../digits/classifier_baseline.py'

model = dict(
    backbone=dict(_delete_=True, type='CIFARDenseNet', depth=16, growth_rate=8),
    head=dict(in_channels=112),
)
