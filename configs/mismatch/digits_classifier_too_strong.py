"""A small ResNet on the noisy digits, with a teacher that is too strong.

Row:     stands for the too strong teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_classifier_too_strong.py --seed 0
Needs:   the teacher:
         w2s train w2s_mm::mismatch/digits_classifier_too_strong_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_classifier_too_strong/{time_to_target,weak_to_strong}.json for
         `w2s report`
"""

_base_ = '../digits/classifier_student.py'

model = dict(
    teacher=dict(
        config='w2s_mm::mismatch/digits_classifier_too_strong_teacher.py',
        checkpoint='work_dirs/digits_classifier_too_strong_teacher/iter_3000.pth',
    )
)
