"""The classifier baseline of the noisy digits, trained with Muon.

Row:     stands for Figure 5a of the paper
Command: w2s train w2s_mm::ablations/digits_muon_baseline.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_muon_baseline/time_to_target.json
"""

_base_ = '../digits/classifier_baseline.py'

optim_wrapper = dict(
    constructor='MuonConstructor',
    optimizer=dict(_delete_=True, type='MuonWithAdamW', lr=0.02, weight_decay=0.05, adamw_lr=6e-3),
)
