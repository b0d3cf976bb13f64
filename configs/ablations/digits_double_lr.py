"""A control on the noisy digits: twice the learning rate, no teacher.

Row:     none in the paper; belongs to Figure 6, as the gradient of the distillation term makes
         steps larger
Command: w2s train w2s_mm::ablations/digits_double_lr.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_double_lr/time_to_target.json, to compare with
         configs/digits/classifier_{baseline,student}.py: what larger steps alone give
"""

_base_ = '../digits/classifier_baseline.py'

optim_wrapper = dict(optimizer=dict(lr=0.2))
