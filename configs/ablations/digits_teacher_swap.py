"""The student of the noisy digits with another teacher, a DenseNet.

Row:     stands for Figure 2a of the paper
Command: w2s train w2s_mm::ablations/digits_teacher_swap.py --seed 0
Needs:   the teacher:
         w2s train w2s_mm::ablations/digits_teacher_swap_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_teacher_swap/{time_to_target,weak_to_strong}.json for `w2s report`; the
         baseline is configs/digits/classifier_baseline.py
"""

_base_ = '../digits/classifier_student.py'

model = dict(
    teacher=dict(
        config='w2s_mm::ablations/digits_teacher_swap_teacher.py',
        checkpoint='work_dirs/digits_teacher_swap_teacher/iter_800.pth',
    )
)
