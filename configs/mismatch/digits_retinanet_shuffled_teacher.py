"""RetinaNet on the digit scenes, a teacher trained on random labels.

Row:     none in the paper; a teacher that a student should not follow
Command: w2s train w2s_mm::mismatch/digits_retinanet_shuffled_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 3 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_shuffled_teacher/iter_1500.pth,
         a teacher that has learned random labels; give it to digits/retinanet_student.py
         with --teachers of w2s compare
"""

_base_ = '../digits/retinanet_teacher.py'

custom_imports = dict(imports=['w2s_mm.detection', 'w2s_mm.hooks', 'w2s_mm.datasets.wrong_labels'])
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile', backend_args=None),
            dict(type='Resize', scale=(64, 64), keep_ratio=True),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='WrongLabels', classes=10, how='shuffled'),
            dict(type='PackDetInputs'),
        ]
    )
)
