"""Control on the noisy digits: twice the learning rate, no teacher.

Not in the paper. Distillation adds to the gradient, so that under SGD part of a gain could be that
of larger steps; this is how far larger steps alone go.

Command: python tools/train.py configs/ablations/digits_double_lr.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on two CPU cores (600 iterations of 32 images)
Gives:   work_dirs/digits_double_lr/time_to_target.json, against
         configs/digits/classifier_{baseline,student}.py
"""

_base_ = '../digits/classifier_baseline.py'

optim_wrapper = dict(optimizer=dict(lr=0.2))
