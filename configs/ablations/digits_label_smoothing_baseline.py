"""The classifier baseline of the noisy digits with label smoothing.

Row:     stands for Figure 4a of the paper
Command: w2s train w2s_mm::ablations/digits_label_smoothing_baseline.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_label_smoothing_baseline/time_to_target.json
"""

_base_ = '../digits/classifier_baseline.py'

model = dict(
    head=dict(
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, num_classes=10)
    )
)
