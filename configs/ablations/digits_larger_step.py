"""A control on the noisy digits: larger steps for as long as the teacher acts, and no teacher.

Row:     none in the paper; belongs to Figure 6, as the gradient of the distillation term makes
         steps larger
Command: w2s train w2s_mm::ablations/digits_larger_step.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_larger_step/time_to_target.json, to compare with
         configs/digits/classifier_{baseline,student}.py: what larger steps alone give
"""

_base_ = '../digits/classifier_baseline.py'

# GradientNormHook, seed 100: the gradient of both terms is 2.2 times as large as that of the
# model's own loss (mean), until the gate closes at iteration 700.
optim_wrapper = dict(optimizer=dict(lr=0.2 * 2.2))
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=False),
    dict(type='ConstantLR', factor=1 / 2.2, begin=700, by_epoch=False),
]
