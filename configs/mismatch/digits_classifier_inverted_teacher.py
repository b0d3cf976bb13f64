"""A smaller ResNet on the noisy digits, a teacher trained on inverted images.

Row:     none in the paper; a teacher that a student should not follow
Command: w2s train w2s_mm::mismatch/digits_classifier_inverted_teacher.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on one CPU core (800 iterations of 64 images)
Gives:   work_dirs/digits_classifier_inverted_teacher/iter_800.pth,
         a teacher that has seen other images; give it to digits/classifier_student.py
         with --teachers of w2s compare
"""

_base_ = '../digits/classifier_teacher.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='RandomCrop', crop_size=16, padding=2, padding_mode='edge'),
            dict(type='Invert', prob=1.0),
            dict(type='PackInputs'),
        ]
    )
)
