"""The schedule without the stop rule, on the DDPM and the 8 px digits.

Row:     stands for Figure 6b of the paper; here the schedule still ends before the run
Command: w2s train w2s_mm::ablations/digits_ddpm_schedule_alone.py --seed 0
Needs:   the classifier that FID takes its features from, and the teacher:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
         w2s train w2s_mm::digits/ddpm_teacher.py --seed 0
Takes:   about 3 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/digits_ddpm_schedule_alone/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with
         configs/digits/ddpm_student.py
"""

_base_ = '../digits/ddpm_student.py'

default_hooks = dict(weak_to_strong=dict(stop=dict(_delete_=True, type='NeverStop')))
