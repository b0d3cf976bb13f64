"""RetinaNet on the digit scenes, a teacher trained on inverted images.

Row:     none in the paper; a teacher that a student should not follow
Command: w2s train w2s_mm::mismatch/digits_retinanet_inverted_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 3 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_inverted_teacher/iter_1500.pth,
         a teacher that has seen other images; give it to digits/retinanet_student.py
         with --teachers of w2s compare
"""

_base_ = '../digits/retinanet_teacher.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile', backend_args=None),
            dict(type='Resize', scale=(64, 64), keep_ratio=True),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='Invert', prob=1.0),
            dict(type='PackDetInputs'),
        ]
    )
)
