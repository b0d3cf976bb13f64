"""A small ResNet on the noisy digits, its first three stages grown from a smaller model's.

Row:     none in the paper; stands for the rows of its Table 1 with a start in place of distillation
Command: w2s train w2s_mm::digits/classifier_start.py --seed 0
Needs:   the smaller model: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/classifier_start/time_to_target.json for `w2s report`
"""

_base_ = './classifier_baseline.py'

default_hooks = dict(
    start=dict(
        type='StartHook',
        how='grow',
        # The smaller model is one stage shorter.
        parts=[f'backbone.{part}' for part in ('conv1', 'bn1', 'layer1', 'layer2', 'layer3')],
        config='w2s_mm::digits/classifier_teacher.py',
        checkpoint='work_dirs/classifier_teacher/iter_800.pth',
    )
)
