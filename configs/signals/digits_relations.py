"""Relations between predictions (DIST) on the noisy digits.

Row:     none in the paper: another loss between the logits, arXiv 2205.10536
Command: w2s train w2s_mm::signals/digits_relations.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_relations/{time_to_target,weak_to_strong}.json for `w2s report`; compare
         with configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

# T^2 would multiply this loss, which has no scale of the logits in it.
model = dict(
    distill_head=dict(
        loss=dict(type='RelationDistillLoss', beta=1.0, gamma=1.0),
        temperature=1.0,
    )
)
