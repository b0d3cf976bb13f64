"""A DDPM on the 8 px digits, grown from its teacher, and distilled.

Row:     none in the paper; stands for nc128-rb3 <- nc64-rb2 of its Table 2 with a start as well
Command: w2s train w2s_mm::digits/ddpm_both.py --seed 0
Needs:   what configs/digits/ddpm_student.py needs
Takes:   about 3 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/ddpm_both/{time_to_target,weak_to_strong}.json for `w2s report`, and sample grids
         in samples/
"""

_base_ = './ddpm_student.py'

default_hooks = dict(start=dict(type='StartHook', how='grow'))
