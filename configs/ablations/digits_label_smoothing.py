"""The classifier student of the noisy digits with label smoothing.

Row:     stands for Figure 4a of the paper
Command: w2s train w2s_mm::ablations/digits_label_smoothing.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_label_smoothing/{time_to_target,weak_to_strong}.json for `w2s report`; the
         baseline is digits_label_smoothing_baseline.py
"""

_base_ = '../digits/classifier_student.py'

model = dict(
    head=dict(
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, num_classes=10)
    )
)
