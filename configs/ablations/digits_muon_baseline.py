"""Classifier baseline under Muon on the noisy digits, as in Figure 5a of the paper.

Command: python tools/train.py configs/ablations/digits_muon_baseline.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_muon_baseline/time_to_target.json
"""

_base_ = '../digits/classifier_baseline.py'

optim_wrapper = dict(
    constructor='MuonConstructor',
    optimizer=dict(_delete_=True, type='MuonWithAdamW', lr=0.02, weight_decay=0.05, adamw_lr=6e-3),
)
