"""A DDPM on the 8 px digits, with a teacher that is too strong.

Row:     stands for the too strong teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_ddpm_too_strong.py --seed 0
Needs:   the classifier that FID takes its features from:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
         and the teacher:
         w2s train w2s_mm::mismatch/digits_ddpm_too_strong_teacher.py --seed 0
Takes:   about 3 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/digits_ddpm_too_strong/{time_to_target,weak_to_strong}.json for `w2s report`
"""

_base_ = '../digits/ddpm_student.py'

model = dict(
    teacher=dict(
        config='w2s_mm::mismatch/digits_ddpm_too_strong_teacher.py',
        checkpoint='work_dirs/digits_ddpm_too_strong_teacher/iter_4000.pth',
    )
)
