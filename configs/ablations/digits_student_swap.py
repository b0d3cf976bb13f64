"""Another student on the noisy digits, a DenseNet, with the same teacher.

Row:     stands for Figure 2b of the paper
Command: w2s train w2s_mm::ablations/digits_student_swap.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about 2 minutes on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_student_swap/{time_to_target,weak_to_strong}.json for `w2s report`; the
         baseline is digits_student_swap_baseline.py
"""

_base_ = '../digits/classifier_student.py'

model = dict(
    backbone=dict(_delete_=True, type='CIFARDenseNet', depth=16, growth_rate=8),
    head=dict(in_channels=112),
)
