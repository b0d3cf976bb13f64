"""A DDPM on the 8 px digits, with a teacher half as wide.

Row:     stands for nc128-rb3 <- nc64-rb2 of the paper's Table 2 (2.67x)
Command: w2s train w2s_mm::digits/ddpm_student.py --seed 0
Needs:   the classifier that FID takes its features from, and the teacher:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
         w2s train w2s_mm::digits/ddpm_teacher.py --seed 0
Takes:   about 3 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/ddpm_student/{time_to_target,weak_to_strong}.json for `w2s report`, and sample
         grids in samples/; docs/results/digits_ddpm.md has three paired seeds
"""

_base_ = './ddpm_baseline.py'

# The paper has ratio = 0.5 and lambda_max = 0.2. At this size more weight and every step of the
# noising process work better. Chosen on seed 100, which is not among the reported ones.
model = dict(
    type='W2SDDPM',
    teacher=dict(
        config='w2s_mm::digits/ddpm_teacher.py',
        checkpoint='work_dirs/ddpm_teacher/iter_2000.pth',
    ),
    distill_head=dict(
        type='NoiseDistillHead',
        ratio=1.0,  # every step
        side='low',
        loss=dict(type='SquaredErrorDistillLoss'),
    ),
)
default_hooks = dict(
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='FID-digits-classifier',
        rule='less',
        schedule=dict(
            type='WarmupHoldDecay',
            unit='training',
            lambda_max=5.0,
            warmup=0.03,
            hold=0.65,
            decay=0.2,
        ),
        stop=dict(type='SurpassGate', k=2),
    )
)
