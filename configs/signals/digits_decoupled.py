"""Decoupled distillation (DKD) on the noisy digits.

Row:     none in the paper: another loss between the logits, arXiv 2203.08679
Command: w2s train w2s_mm::signals/digits_decoupled.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_decoupled/{time_to_target,weak_to_strong}.json for `w2s report`; compare
         with configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

# The factors of the source's code for ImageNet.
model = dict(distill_head=dict(loss=dict(type='DecoupledDistillLoss', alpha=1.0, beta=0.5)))
