"""Faster R-CNN student on the digit scenes, guided by a teacher half as wide.

Command: python tools/train.py configs/digits/faster_rcnn_student.py --seed 0
Needs:   python tools/make_digit_scenes.py, and the teacher:
         python tools/train.py configs/digits/faster_rcnn_teacher.py --seed 0
Takes:   about 6 minutes on one CPU core (600 iterations of 16 images)
Gives:   work_dirs/faster_rcnn_student/{time_to_target,weak_to_strong}.json for tools/first_at.py;
         docs/results/digits_faster_rcnn.md has five paired seeds
Row:     stands for Faster R-CNN-R50 <- R18 of the paper's Table 2 (AP50 20 % in 1/1.33 of the
         epochs).
"""

_base_ = './faster_rcnn_baseline.py'

model = dict(
    type='W2SFasterRCNN',
    teacher=dict(
        config='configs/digits/faster_rcnn_teacher.py',
        checkpoint='work_dirs/faster_rcnn_teacher/iter_1200.pth',
    ),
    distill_head=_base_.digit_roi_distill_head,
)
default_hooks = _base_.digit_w2s_hooks
