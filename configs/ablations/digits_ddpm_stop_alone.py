"""The stop rule alone, without a decay, on the DDPM and the 8 px digits.

Row:     none in the paper, whose Figure 6 leaves out the stop and keeps the decay
Command: w2s train w2s_mm::ablations/digits_ddpm_stop_alone.py --seed 0
Needs:   the classifier that FID takes its features from, and the teacher:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
         w2s train w2s_mm::digits/ddpm_teacher.py --seed 0
Takes:   about 3 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/digits_ddpm_stop_alone/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with
         configs/digits/ddpm_student.py
"""

_base_ = '../digits/ddpm_student.py'

# lambda_max to the end of the run, unless the stop rule comes first.
default_hooks = dict(weak_to_strong=dict(schedule=dict(hold=0.97, decay=0.0)))
