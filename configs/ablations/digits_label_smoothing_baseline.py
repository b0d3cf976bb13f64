"""Classifier baseline with label smoothing on the noisy digits, as in Figure 4 of the paper.

Command: python tools/train.py configs/ablations/digits_label_smoothing_baseline.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_label_smoothing_baseline/time_to_target.json
"""

_base_ = '../digits/classifier_baseline.py'

model = dict(
    head=dict(
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, num_classes=10)
    )
)
