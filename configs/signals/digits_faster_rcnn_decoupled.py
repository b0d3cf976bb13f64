"""Decoupled distillation (DKD) of the RoI classes of Faster R-CNN on the digit scenes.

Row:     none in the paper: another loss between the logits, arXiv 2203.08679
Command: w2s train w2s_mm::signals/digits_faster_rcnn_decoupled.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
         and the teacher: w2s train w2s_mm::digits/faster_rcnn_teacher.py --seed 0
Takes:   about 6 minutes on one CPU core (1,500 iterations of 8 images)
Gives:   work_dirs/digits_faster_rcnn_decoupled/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with configs/digits/faster_rcnn_student.py
"""

_base_ = '../digits/faster_rcnn_student.py'

# The factors of the source's code for Faster R-CNN.
model = dict(distill_head=dict(loss_cls=dict(type='DecoupledDistillLoss', alpha=1.0, beta=0.25)))
