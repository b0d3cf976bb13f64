"""Forward and reverse KL, balanced sample by sample (BD-KD), on the noisy digits.

Row:     none in the paper: another loss between the logits, arXiv 2212.12965
Command: w2s train w2s_mm::signals/digits_balanced_kl.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_balanced_kl/{time_to_target,weak_to_strong}.json for `w2s report`; compare
         with configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

model = dict(distill_head=dict(loss=dict(type='BalancedKLDistillLoss', emphasis=0.75)))
