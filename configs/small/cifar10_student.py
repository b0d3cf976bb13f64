"""Student on CIFAR-10 at a size for two CPU cores; stands for the rows of Table 1 of the paper.

Command: python tools/train.py configs/small/cifar10_student.py --seed 0
Needs:   CIFAR-10 as image folders in data/cifar10_images, and the teacher:
         python tools/train.py configs/small/cifar10_teacher.py --seed 0
Takes:   about 5 minutes on two CPU cores (782 iterations of 64 images)
Gives:   work_dirs/cifar10_student/{time_to_target,weak_to_strong}.json for tools/first_at.py;
         docs/results/cifar10_small.md has three paired seeds (arXiv 2604.15451: 1.36x to 1.60x for
         ResNet-50)
"""

_base_ = './cifar10_baseline.py'

model = dict(
    type='W2SImageClassifier',
    teacher=dict(
        config='configs/small/cifar10_teacher.py',
        checkpoint='work_dirs/cifar10_teacher/iter_900.pth',
    ),
    distill_head=_base_.distill_head,
)
default_hooks = _base_.cifar10_small_w2s_hooks
