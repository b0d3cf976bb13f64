"""The teacher as a selector of the images (RHO-LOSS) on the noisy digits.

Row:     none in the paper: no distillation, but a selection of the batch, arXiv 2206.07137
Command: w2s train w2s_mm::signals/digits_selection.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_selection/{time_to_target,weak_to_strong}.json for `w2s report`; compare
         with configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

# With lambda_max = 1 the plateau of the schedule trains on the selected half alone.
model = dict(distill_head=dict(_delete_=True, type='SelectionHead', keep=0.5))
