"""Classifier student under Muon on the noisy digits, as in Figure 5a of the paper.

Command: python tools/train.py configs/ablations/digits_muon.py --seed 0
Needs:   the teacher: python tools/train.py configs/digits/classifier_teacher.py --seed 0
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_muon/{time_to_target,weak_to_strong}.json, against
         configs/ablations/digits_muon_baseline.py
"""

_base_ = '../digits/classifier_student.py'

optim_wrapper = dict(
    constructor='MuonConstructor',
    optimizer=dict(_delete_=True, type='MuonWithAdamW', lr=0.02, weight_decay=0.05, adamw_lr=6e-3),
)
