"""GFL on the digit scenes, taught the distributions over distances as well (LD).

Row:     none in the paper; the loss of arXiv 2102.12252 (LD)
Command: w2s train w2s_mm::signals/digits_gfl_localization.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
         and the teacher: w2s train w2s_mm::digits/gfl_teacher.py --seed 0
Takes:   about 5 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/digits_gfl_localization/{time_to_target,weak_to_strong}.json for `w2s report`;
         compare with configs/digits/gfl_student.py
"""

_base_ = '../digits/gfl_student.py'

model = dict(
    distill_head=[
        dict(
            type='DenseDistillHead',
            score_thr=0.05,
            loss_cls=dict(type='FocalLogitDistillLoss', focal=0.0),
        ),
        # The source has T = 10 and a weight of 0.25. Not tuned.
        dict(type='LocalizationDistillHead', score_thr=0.05, temperature=10.0, weight=0.25),
    ]
)
