"""A small ResNet on the noisy digits, with stages grown from its teacher's, and distilled.

Row:     none in the paper; stands for the rows of its Table 1 with a start as well
Command: w2s train w2s_mm::digits/classifier_both.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/classifier_both/{time_to_target,weak_to_strong}.json for `w2s report`
"""

_base_ = './classifier_student.py'

default_hooks = dict(
    start=dict(
        type='StartHook',
        how='grow',
        # The teacher is one stage shorter.
        parts=[f'backbone.{part}' for part in ('conv1', 'bn1', 'layer1', 'layer2', 'layer3')],
    )
)
