"""A DDPM on the 8 px digits, a teacher trained on inverted images.

Row:     none in the paper; a teacher that a student should not follow
Command: w2s train w2s_mm::mismatch/digits_ddpm_inverted_teacher.py --seed 0
Needs:   the classifier that FID takes its features from:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
Takes:   about 2 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/digits_ddpm_inverted_teacher/iter_2000.pth,
         a teacher that has seen other images; give it to digits/ddpm_student.py
         with --teachers of w2s compare
"""

_base_ = '../digits/ddpm_teacher.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='Invert', prob=1.0),
            dict(type='PackInputs'),
        ]
    )
)
