"""A DDPM on the 8 px digits, the weak teacher: half as wide as the student.

Row:     stands for the nc64-rb2 teacher of the paper's Table 2
Command: w2s train w2s_mm::digits/ddpm_teacher.py --seed 0
Needs:   the classifier that FID takes its features from:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
Takes:   about 2 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/ddpm_teacher/iter_2000.pth; FID-digits-classifier about 3 (the finished
         baseline: about 2.2)
"""

_base_ = './ddpm_baseline.py'

model = dict(unet=dict(channels=16))
