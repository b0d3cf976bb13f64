"""A small ResNet on CIFAR-10, one pass, with a smaller teacher.

Row:     stands for the CIFAR-10 rows of the paper's Table 1 (1.36x and 1.60x)
Command: w2s train w2s_mm::small/cifar10_student.py --seed 0
Needs:   CIFAR-10 as image folders in data/cifar10_images
         and the teacher: w2s train w2s_mm::small/cifar10_teacher.py --seed 0
Takes:   about 3 minutes on one CPU core (1,500 iterations of 64 images)
Gives:   work_dirs/cifar10_student/{time_to_target,weak_to_strong}.json for `w2s report`;
         docs/results/cifar10_small.md has three paired seeds
"""

_base_ = './cifar10_baseline.py'

model = dict(
    type='W2SImageClassifier',
    teacher=dict(
        config='w2s_mm::small/cifar10_teacher.py',
        checkpoint='work_dirs/cifar10_teacher/iter_1500.pth',
    ),
    distill_head=dict(type='LogitDistillHead', loss=dict(type='KLDistillLoss')),
)
# T and k are the paper's. It leaves lambda_max and the lengths open: chosen on seed 100, which is
# not among the reported ones.
default_hooks = dict(
    weak_to_strong=dict(
        type='WeakToStrongHook',
        metric='accuracy/top1',
        schedule=dict(
            type='WarmupHoldDecay',
            unit='training',
            lambda_max=2.0,
            warmup=0.03,
            hold=0.65,
            decay=0.2,
        ),
        temperature=dict(start=6, end=1, length=0.88, unit='training'),
        stop=dict(type='SurpassGate', k=2),
    )
)
