"""RetinaNet on the digit scenes, with a teacher that is too weak.

Row:     stands for the too weak teachers of the paper's Table 3
Command: w2s train w2s_mm::mismatch/digits_retinanet_too_weak.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
         and the teacher:
         w2s train w2s_mm::mismatch/digits_retinanet_too_weak_teacher.py --seed 0
Takes:   about 4 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_too_weak/{time_to_target,weak_to_strong}.json for `w2s report`
"""

_base_ = '../digits/retinanet_student.py'

model = dict(
    teacher=dict(
        config='w2s_mm::mismatch/digits_retinanet_too_weak_teacher.py',
        checkpoint='work_dirs/digits_retinanet_too_weak_teacher/iter_300.pth',
    )
)
