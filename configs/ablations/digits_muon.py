"""The classifier student of the noisy digits, trained with Muon.

Row:     stands for Figure 5a of the paper
Command: w2s train w2s_mm::ablations/digits_muon.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_muon/{time_to_target,weak_to_strong}.json for `w2s report`; the baseline
         is digits_muon_baseline.py
"""

_base_ = '../digits/classifier_student.py'

optim_wrapper = dict(
    constructor='MuonConstructor',
    optimizer=dict(_delete_=True, type='MuonWithAdamW', lr=0.02, weight_decay=0.05, adamw_lr=6e-3),
)
