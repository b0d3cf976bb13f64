"""Control on the noisy digits, beside Figure 6 of the paper: twice the learning rate, no teacher.

Command: python tools/train.py configs/ablations/digits_double_lr.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_double_lr/time_to_target.json, against
         configs/digits/classifier_{baseline,student}.py: how far larger steps alone go, as the
         gradient of the distillation adds to that of the loss
"""

_base_ = '../digits/classifier_baseline.py'

optim_wrapper = dict(optimizer=dict(lr=0.2))
