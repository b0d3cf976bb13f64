"""A DDPM on the 8 px digits, grown from one half as wide.

Row:     none in the paper; stands for nc128-rb3 <- nc64-rb2 of its Table 2 with a start in place of
         distillation. Below 64 channels the number of groups of a group norm grows with the width,
         so that this start, unlike that of the paper's pair, is not lossless
Command: w2s train w2s_mm::digits/ddpm_start.py --seed 0
Needs:   the classifier that FID takes its features from, and the smaller model:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
         w2s train w2s_mm::digits/ddpm_teacher.py --seed 0
Takes:   about 3 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/ddpm_start/time_to_target.json, and sample grids in samples/
"""

_base_ = './ddpm_baseline.py'

default_hooks = dict(
    start=dict(
        type='StartHook',
        how='grow',
        config='w2s_mm::digits/ddpm_teacher.py',
        checkpoint='work_dirs/ddpm_teacher/iter_2000.pth',
    )
)
